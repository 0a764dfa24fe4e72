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
  check("carriers", Array.isArray(carriers) && carriers.length > 0, "a list");
  for (const kind of carriers) {
    if (!CARRIERS.includes(kind)) throw new ChannelError("BAD_OPTION", unknownName("no carrier", kind, CARRIERS));
  }
  // RFC 9110 §5.6.2, "token".
  check(
    "protocols",
    Array.isArray(protocols) && protocols.every((name) => /^[\w!#$%&'*+.^`|~-]+$/.test(name)),
    "tokens",
  );
  check("credentials", /^(omit|same-origin|include)$/.test(credentials), "omit, same-origin or include");
  check("maxBufferedBytes", typeof maxBufferedBytes === "number" && maxBufferedBytes >= 1, "a number from 1");
  checkOptionNames("backoff", backoff, ["firstMs", "capMs"]);
  for (const [name, ms = 1] of Object.entries(backoff)) {
    check(name, typeof ms === "number" && ms >= 1 && ms < 2 ** 31, "a number from 1 to 2^31 - 1");
  }
}

function check(name: string, isRight: boolean, expected: string): void {
  if (!isRight) throw new ChannelError("BAD_OPTION", `${name} must be ${expected}`);
}
