// The checks of what `serve` is given: a wrong name or value is refused at once, not when the first client suffers from it.

import { ChannelError } from "../base/errors.ts";
import { checkOptionNames } from "../base/option-names.ts";
import { LIMITS, type ServeOptions } from "./options.ts";

/** The names of `ServeOptions`. */
export const SERVE_OPTIONS: readonly string[] = [
  ...Object.keys(LIMITS),
  "port",
  "host",
  "path",
  "fd",
  "listenFds",
  "backlog",
  "allowedOrigins",
  "allowedHosts",
  "cors",
  "upgrade",
  "serverHeader",
  "tls",
  "trustedProxies",
  "proxyHeaders",
  "proxyProtocol",
  "logger",
  "onError",
];

/** Throws BAD_OPTION, which says what to pass, for arguments of `serve` that are neither of its two forms. */
export function checkServeArguments(first: unknown, second: unknown): void {
  if (typeof first === "function") {
    checkServeOptions("serve", second, SERVE_OPTIONS);
    return;
  }
  if (typeof first !== "object" || first === null || typeof (first as { fetch?: unknown }).fetch !== "function") {
    const given = first === null ? "null" : typeof first === "object" ? "an object without fetch" : typeof first;
    throw bad(`serve takes a handler, or { fetch }, not ${given}: write serve((request) => "hello", options)`);
  }
  // An object of a class is an application of a framework (Hono), with fields that are none of our options.
  if (isPlain(first)) checkServeOptions("serve", first, [...SERVE_OPTIONS, "fetch"]);
}

/** Throws BAD_OPTION. `names`: all that are known. */
export function checkServeOptions(owner: string, given: unknown, names: readonly string[]): void {
  checkOptionNames(owner, given, names);
  const options = given as ServeOptions;
  const { host, path, backlog, upgrade, onError, logger } = options;
  checkInteger("port", options.port, 65_535);
  checkInteger("backlog", backlog, 2_147_483_647);
  for (const [name, value] of Object.entries({ host, path })) {
    if (value !== undefined && (typeof value !== "string" || value === "")) {
      throw bad(`${name} is ${show(value)}; it must be a string that is not empty`);
    }
  }
  for (const [name, value] of Object.entries({ upgrade, onError })) {
    if (value !== undefined && typeof value !== "function")
      throw bad(`${name} is ${show(value)}; it must be a function`);
  }
  if (logger === undefined) return;
  for (const name of ["info", "warn", "error"] as const) {
    if (typeof logger?.[name] !== "function") throw bad(`logger has no method ${name}; pass console, or a pino logger`);
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function checkInteger(name: string, value: unknown, most: number): void {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most)) return;
  throw bad(`${name} is ${show(value)}; it must be an integer from 0 to ${most}`);
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : typeof value === "object" ? "an object" : String(value);
}

function bad(text: string): ChannelError {
  return new ChannelError("BAD_OPTION", text);
}
