// Options are checked where they are given: a mistake would otherwise be a connection that never opens, or one that
// reconnects without pause.

import { badOption, badValue, show } from "../base/bad-option.ts";
import { ChannelError } from "../base/channel-error.ts";
import { checkOptionNames, unknownName } from "../base/option-names.ts";
import { SESSION_PROTOCOL } from "../codec/session-record.ts";
import type { BackoffOptions } from "./backoff.ts";
import type { CarrierKind } from "./carrier.ts";
import type { ConnectOptions } from "./connection.ts";
import type { Environment } from "./environment.ts";

export const TRANSPORTS: readonly CarrierKind[] = ["websocket", "sse", "poll"];

/** A description of the legal values, and a check; without a check, the description names the types. */
type Rule = readonly [expected: string, isRight?: (value: unknown) => boolean];

const milliseconds: Rule = ["a number from 1 to 2^31 - 1", (value) => isNumber(value) && value < 2 ** 31];

const OPTIONS: Readonly<Record<keyof ConnectOptions | "codec", Rule>> = {
  carriers: ["a list of different names", (value) => isList(value) && value.length > 0],
  protocols: [
    `a list of different tokens, without ${SESSION_PROTOCOL}`,
    // RFC 9110 §5.6.2, "token". A WebSocket throws for one that is in the list twice.
    (value) => isList(value, SESSION_PROTOCOL) && value.every((name) => /^[\w!#$%&'*+.^`|~-]+$/.test(`${name}`)),
  ],
  credentials: ["omit, same-origin or include", (value) => /^(omit|same-origin|include)$/.test(`${value}`)],
  maxBufferedBytes: ["a number from 1", isNumber],
  WebSocket: ["a function"],
  fetch: ["a function"],
  debug: ["a boolean or a function"],
  codec: ["a MessageCodec", (value) => can(value, "encode", "decode")],
  signal: ["an AbortSignal", (value) => can<AbortSignal>(value, "addEventListener") && "aborted" in value],
  environment: [
    "an Environment",
    (value) => can<Environment>(value, "random", "watch") && can(value.clock, "now", "setTimer", "clearTimer"),
  ],
  requests: ["what requests() returns", (value) => can(value, "Session")],
  share: ["what tabs() returns", (value) => can(value, "select")],
  backoff: ["an object"],
  // `endpointOf` checks their contents.
  headers: ["an object or a function"],
  params: ["an object or a function"],
};
const BACKOFF: Readonly<Record<keyof BackoffOptions, Rule>> = { firstMs: milliseconds, capMs: milliseconds };

/** Throws BAD_OPTION. */
export function checkOptions(options: ConnectOptions): void {
  check("connect", options, OPTIONS, "");
  const { carriers = [], backoff = {} } = options;
  for (const kind of carriers) {
    if (!TRANSPORTS.includes(kind)) throw badOption(unknownName("there is no carrier", `${kind}`, TRANSPORTS));
  }
  check("backoff", backoff, BACKOFF, "backoff.");
  // Tabs would number their requests from 1, and the reply would have to find the one that has asked.
  if (options.share && options.requests) throw badOption("requests do not work with share");
}

function check(owner: string, options: object, rules: Readonly<Record<string, Rule>>, prefix: string): void {
  checkOptionNames(owner, options, Object.keys(rules));
  for (const [name, [expected, isRight]] of Object.entries(rules)) {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value === undefined || (isRight ? isRight(value) : value !== null && expected.includes(typeof value))) continue;
    throw badValue(prefix + name, value, expected);
  }
}

/** Returns true for an object with these methods. `instanceof` would refuse objects of another frame or of a library. */
function can<T extends object>(value: unknown, ...names: string[]): value is T {
  return names.every((name) => typeof (value as Readonly<Record<string, unknown>> | null)?.[name] === "function");
}

/** Returns true for a list of different values that has none of `others`. */
function isList(value: unknown, ...others: unknown[]): value is unknown[] {
  return Array.isArray(value) && new Set([...value, ...others]).size === value.length + others.length;
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && value >= 1;
}

/** Throws BAD_CLOSE for a code or reason that a browser refuses to send (WHATWG WebSockets §3.1, "close"). */
export function checkClose(code: number, reason: string): void {
  if (code !== 1000 && !(Number.isInteger(code) && code >= 3000 && code <= 4999)) {
    throw new ChannelError("BAD_CLOSE", `the code is ${show(code)}; it must be 1000 or 3000 to 4999`);
  }
  if (new TextEncoder().encode(reason).length > 123)
    throw new ChannelError("BAD_CLOSE", "the reason is over 123 bytes");
}
