// The checks of a session's options. A wrong one is refused where it is given: sent to the client it would end every
// connection that the client makes, and nobody would know why.

import { ChannelError } from "../base/errors.ts";
import { checkOptionNames } from "../base/option-names.ts";
import { toCompressSettings } from "../transport/deflate.ts";
import type { AnySessionOptions } from "./session.ts";

/** The names of `SessionOptions`. */
export const SESSION_OPTIONS: readonly (keyof AnySessionOptions)[] = [
  "identity",
  "resumeMs",
  "heartbeatMs",
  "parkMs",
  "headers",
  "maxBufferedBytes",
  "onOverflow",
  "maxMessageBytes",
  "compress",
  "codec",
];

/** A timer of every platform can hold it: 24 days. */
const MAX_TIMER_MS = 2_147_483_647;

/** Throws BAD_OPTION. */
export function checkSessionOptions(options: AnySessionOptions): void {
  checkOptionNames("openSession", options, SESSION_OPTIONS);
  const { identity, resumeMs, heartbeatMs, parkMs, maxBufferedBytes, maxMessageBytes, onOverflow, compress } = options;
  if (identity !== undefined && typeof identity !== "string") {
    throw new ChannelError("BAD_OPTION", `identity is ${describe(identity)}; it must be a string`);
  }
  // Both are told to the client, in JSON, as whole numbers.
  checkWhole("resumeMs", resumeMs, 0, Number.MAX_SAFE_INTEGER);
  checkWhole("heartbeatMs", heartbeatMs, 1, MAX_TIMER_MS);
  if (parkMs !== Number.POSITIVE_INFINITY) checkWhole("parkMs", parkMs, 1, Number.MAX_SAFE_INTEGER);
  checkAmount("maxBufferedBytes", maxBufferedBytes);
  checkAmount("maxMessageBytes", maxMessageBytes);
  checkOverflow(onOverflow);
  if (compress !== undefined && compress !== false) toCompressSettings(compress, true);
}

function checkWhole(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) return;
  throw new ChannelError("BAD_OPTION", `${name} is ${describe(value)}; it must be an integer from ${least} to ${most}`);
}

/** Bytes or milliseconds, of a plain channel as well. Infinity switches a limit off. */
export function checkAmount(name: string, value: number | undefined): void {
  if (value === undefined || (typeof value === "number" && value >= 0)) return;
  throw new ChannelError("BAD_OPTION", `${name} is ${describe(value)}; it must be a number, 0 or more`);
}

export function checkOverflow(value: string | undefined): void {
  if (value === undefined || value === "close" || value === "drop") return;
  throw new ChannelError("BAD_OPTION", `onOverflow is ${describe(value)}; it must be "close" or "drop"`);
}

function describe(value: unknown): string {
  return typeof value === "string"
    ? `"${value}"`
    : typeof value === "object" && value !== null
      ? "an object"
      : String(value);
}
