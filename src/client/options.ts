// Options are checked where they are given: a mistake would otherwise be a connection that never opens, or never rests.

import { ChannelError } from "../base/channel-error.ts";
import { checkOptionNames, unknownName } from "../base/option-names.ts";
import type { BackoffOptions } from "./backoff.ts";
import type { CarrierKind } from "./carrier.ts";
import type { ConnectOptions } from "./connection.ts";

export const CARRIERS: readonly CarrierKind[] = ["websocket", "stream", "poll"];

/** What an option must be, and how to say so; undefined where no check is needed, or another file has it. */
type Rule = readonly [isRight: (value: unknown) => boolean, expected: string] | undefined;

const aFunction: Rule = [(value) => typeof value === "function", "a function"];
const milliseconds: Rule = [(value) => isNumber(value) && value < 2 ** 31, "a number from 1 to 2^31 - 1"];

const OPTIONS: Readonly<Record<keyof ConnectOptions | "codec", Rule>> = {
  carriers: [(value) => Array.isArray(value) && value.length > 0, "a list"],
  // RFC 9110 §5.6.2, "token".
  protocols: [
    (value) => Array.isArray(value) && value.every((name) => /^[\w!#$%&'*+.^`|~-]+$/.test(name)),
    "a list of tokens",
  ],
  credentials: [(value) => /^(omit|same-origin|include)$/.test(`${value}`), "omit, same-origin or include"],
  maxBufferedBytes: [isNumber, "a number from 1"],
  WebSocket: aFunction,
  fetch: aFunction,
  debug: [(value) => /^(boolean|function)$/.test(typeof value), "a boolean or a function"],
  backoff: undefined,
  codec: undefined,
  environment: undefined,
  headers: undefined,
  params: undefined,
  signal: undefined,
};
const BACKOFF: Readonly<Record<keyof BackoffOptions, Rule>> = { firstMs: milliseconds, capMs: milliseconds };

/** Throws BAD_OPTION. */
export function checkOptions(options: ConnectOptions): void {
  check("connect", options, OPTIONS);
  const { carriers = [], backoff = {} } = options;
  for (const kind of carriers) {
    if (!CARRIERS.includes(kind)) throw new ChannelError("BAD_OPTION", unknownName("no carrier", kind, CARRIERS));
  }
  check("backoff", backoff, BACKOFF);
}

function check(owner: string, options: object, rules: Readonly<Record<string, Rule>>): void {
  checkOptionNames(owner, options, Object.keys(rules));
  for (const [name, value] of Object.entries(options)) {
    const [isRight, expected] = rules[name] ?? [];
    if (value !== undefined && isRight?.(value) === false) {
      throw new ChannelError("BAD_OPTION", `${name} must be ${expected}`);
    }
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && value >= 1;
}

/** Throws BAD_CLOSE for what no close frame of a browser can say (WHATWG WebSockets §3.1, "close"). */
export function checkClose(code: number, reason: string): void {
  if (code !== 1000 && !(Number.isInteger(code) && code >= 3000 && code <= 4999)) {
    throw new ChannelError("BAD_CLOSE", `code ${code}`);
  }
  if (new TextEncoder().encode(reason).length > 123) throw new ChannelError("BAD_CLOSE", "reason over 123 bytes");
}
