// Options are checked where they are given: a mistake would otherwise be a connection that never opens, or never rests.

import { ChannelError } from "../base/channel-error.ts";
import { checkOptionNames, unknownName } from "../base/option-names.ts";
import type { CarrierKind } from "./carrier.ts";
import type { ConnectOptions } from "./connection.ts";

export const CARRIERS: readonly CarrierKind[] = ["websocket", "stream", "poll"];

/** All options, with the type that each has; "" for those that are looked at below. */
const TYPES: Readonly<Record<string, string>> = {
  carriers: "",
  protocols: "",
  credentials: "",
  debug: "",
  headers: "",
  params: "",
  backoff: "object",
  codec: "object",
  environment: "object",
  signal: "object",
  WebSocket: "function",
  fetch: "function",
  maxBufferedBytes: "number",
};

/** Throws BAD_OPTION. */
export function checkOptions(options: ConnectOptions): void {
  checkOptionNames("connect", options, Object.keys(TYPES));
  const { carriers = CARRIERS, protocols = [], credentials = "omit", backoff = {}, maxBufferedBytes = 1 } = options;
  for (const [name, type] of Object.entries(TYPES)) {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    // biome-ignore lint/suspicious/useValidTypeof: the names of types stand in the table.
    check(name, value === undefined || type === "" || (value !== null && typeof value === type), type);
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
  check("maxBufferedBytes", maxBufferedBytes >= 1, "1 or more");
  checkOptionNames("backoff", backoff, ["firstMs", "capMs"]);
  for (const [name, ms = 1] of Object.entries(backoff)) {
    check(`backoff.${name}`, ms >= 1 && ms < 2 ** 31, "milliseconds from 1 to 2^31 - 1");
  }
}

function check(name: string, isRight: boolean, expected: string): void {
  if (!isRight) throw new ChannelError("BAD_OPTION", `${name} must be ${expected}`);
}
