// The options of HTTP/2, with their checks and defaults.

import type { TlsOptions } from "node:tls";
import {
  badOption,
  badValue,
  checkAmount,
  checkInteger,
  checkOptions,
  isPlain,
  type OptionTable,
  type ValueCheck,
} from "../base/option-values.ts";

/** Limits of one HTTP/2 connection. A connection over one of them is ended with GOAWAY. */
export interface Http2Options {
  /**
   * Requests that a client may have open on one connection. Over it: RST_STREAM with REFUSED_STREAM, which lets the client try
   * again. @default 100: RFC 9113 §6.5.2 recommends no less
   */
  readonly maxConcurrentStreams?: number | undefined;
  /**
   * Streams that a client may reset in a second. Over it: GOAWAY with ENHANCE_YOUR_CALM. @default 200: a page that is left
   * resets all that it has open
   */
  readonly maxResetsPerSecond?: number | undefined;
  /**
   * Memory that node:http2 itself may hold for one connection, in bytes. Over it: new streams are refused.
   * @default 10_000_000
   */
  readonly maxSessionBytes?: number | undefined;
}

export type Http2Limits = { readonly [Name in keyof Http2Options]-?: number };

const DEFAULTS: Http2Limits = { maxConcurrentStreams: 100, maxResetsPerSecond: 200, maxSessionBytes: 10_000_000 };

const CHECKS: OptionTable = {
  // RFC 9113 §6.5.2: the value is 32 bits, and 0 would refuse all.
  maxConcurrentStreams: checkInteger(1, 4_294_967_295),
  maxResetsPerSecond: checkAmount,
  // node:http2 counts in MB.
  maxSessionBytes: checkInteger(1_000_000, Number.MAX_SAFE_INTEGER),
};

/** The check of the option `http2`. */
export const checkHttp2: ValueCheck = (name, value) => {
  if (typeof value === "boolean") return;
  if (!isPlain(value)) throw badValue(name, value, "true, false, or an object with its limits");
  checkOptions(name, value, CHECKS, `${name}.`);
};

/** Every limit; undefined if there is no HTTP/2. */
export function toHttp2Limits(option: boolean | Http2Options | undefined): Http2Limits | undefined {
  if (option === undefined || option === false) return undefined;
  const given: Http2Options = option === true ? {} : option;
  const limits: Record<keyof Http2Limits, number> = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof Http2Limits)[]) limits[name] = given[name] ?? DEFAULTS[name];
  return limits;
}

/** Throws BAD_OPTION for TLS with which no client could choose HTTP/2. */
export function checkHttp2Tls({
  http2,
  tls,
}: {
  readonly http2?: boolean | Http2Options | undefined;
  readonly tls?: TlsOptions | undefined;
}): void {
  if (http2 === undefined || http2 === false) return;
  if (tls === undefined)
    throw badOption("http2 wants tls: browsers speak HTTP/2 over TLS only; give cert and key in tls");
  const { ALPNProtocols: protocols } = tls;
  if (Array.isArray(protocols) && !protocols.includes("h2")) {
    throw badOption('http2 wants "h2" in tls.ALPNProtocols; add it as the first, or leave ALPNProtocols out');
  }
}
