// Options are checked where they are given: a mistake would otherwise be a connection that never opens, or never rests.

import { ChannelError } from "../base/channel-error.ts";
import { checkOptionNames, unknownName } from "../base/option-names.ts";
import type { CarrierKind } from "./carrier.ts";
import type { ConnectOptions } from "./connection.ts";

export const CARRIERS: readonly CarrierKind[] = ["websocket", "stream", "poll"];

const NAMES =
  "carriers maxBufferedBytes backoff signal codec debug environment headers params protocols credentials WebSocket fetch";

/** Throws BAD_OPTION. */
export function checkOptions(options: ConnectOptions): void {
  checkOptionNames("connect", options, NAMES.split(" "));
  const { carriers = CARRIERS, protocols = [], credentials = "omit", backoff = {}, maxBufferedBytes = 1 } = options;
  for (const name of ["WebSocket", "fetch"] as const) {
    check(name, typeof (options[name] ?? check) === "function", "a function");
  }
  check("debug", /^(boolean|function)$/.test(typeof (options.debug ?? check)), "a boolean or a function");
  check("carriers", Array.isArray(carriers) && carriers.length > 0, "a list");
  for (const kind of carriers) {
    if (!CARRIERS.includes(kind)) throw new ChannelError("BAD_OPTION", unknownName("no carrier", kind, CARRIERS));
  }
  // RFC 9110 §5.6.2, "token".
  const isToken = (name: string): boolean => /^[\w!#$%&'*+.^`|~-]+$/.test(name);
  check("protocols", Array.isArray(protocols) && protocols.every(isToken), "tokens");
  check("credentials", /^(omit|same-origin|include)$/.test(credentials), "omit, same-origin or include");
  check("maxBufferedBytes", isNumber(maxBufferedBytes), "a number from 1");
  checkOptionNames("backoff", backoff, ["firstMs", "capMs"]);
  for (const [name, ms = 1] of Object.entries(backoff)) {
    check(name, isNumber(ms) && ms < 2 ** 31, "a number from 1 to 2^31 - 1");
  }
}

/** Throws BAD_CLOSE for what no close frame of a browser can say (WHATWG WebSockets §3.1, "close"). */
export function checkClose(code: number, reason: string): void {
  if (code !== 1000 && !(Number.isInteger(code) && code >= 3000 && code <= 4999)) {
    throw new ChannelError("BAD_CLOSE", `code ${code}`);
  }
  if (new TextEncoder().encode(reason).length > 123) throw new ChannelError("BAD_CLOSE", "reason over 123 bytes");
}

function isNumber(value: unknown): boolean {
  return typeof value === "number" && value >= 1;
}

function check(name: string, isRight: boolean, expected: string): void {
  if (!isRight) throw new ChannelError("BAD_OPTION", `${name} must be ${expected}`);
}
