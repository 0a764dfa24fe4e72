// The checks of what `serve` is given: a wrong name or value is refused at once, not when the first client suffers from it.

import { checkNearNames } from "../base/near-names.ts";
import {
  badOption,
  checkAmount,
  checkBoolean,
  checkFilledString,
  checkFunction,
  checkInteger,
  checkMethods,
  checkOptions,
  checkString,
  checkValues,
  isPlain,
  type OptionTable,
  show,
  type ValueCheck,
} from "../base/option-values.ts";
import { type FetchHandler, LIMITS, type ServeOptions, type ServerLimits } from "./options.ts";

const MAX_INT32 = 2_147_483_647;

/** Its value is checked where it is taken apart, before the server listens. */
const checkedBelow: ValueCheck = () => {};

/** `ServeOptions`. */
export const SERVE_OPTIONS: Readonly<Record<keyof ServeOptions, ValueCheck>> = {
  ...(Object.fromEntries(Object.keys(LIMITS).map((name) => [name, checkAmount])) as Record<
    keyof ServerLimits,
    ValueCheck
  >),
  port: checkInteger(0, 65_535),
  host: checkFilledString,
  path: checkFilledString,
  fd: checkInteger(0, MAX_INT32),
  listenFds: checkBoolean,
  backlog: checkInteger(0, MAX_INT32),
  allowedOrigins: checkedBelow,
  allowedHosts: checkedBelow,
  cors: checkedBelow,
  upgrade: checkFunction,
  serverHeader: checkString,
  tls: checkedBelow,
  trustedProxies: checkedBelow,
  proxyHeaders: checkedBelow,
  proxyProtocol: checkedBelow,
  logger: checkMethods("a logger: pass console, or one of pino", ["info", "warn", "error"]),
  onError: checkFunction,
};

const WITH_FETCH: OptionTable = { ...SERVE_OPTIONS, fetch: checkFunction };
const STOP_OPTIONS: OptionTable = { graceMs: checkAmount };
const STOP_GRACE_MS = 5000;

/**
 * The options among the arguments of `serve`: `(handler, options)`, `({ fetch, ...options })` or `(application, options)`.
 * Throws BAD_OPTION, which says what to pass, for anything else.
 */
export function toServeOptions(first: unknown, second: unknown): ServeOptions {
  if (typeof first === "function" || second !== undefined) {
    checkHandler("serve", first);
    if (second !== undefined) checkOptions("serve", second, SERVE_OPTIONS);
    return (second ?? {}) as ServeOptions;
  }
  if (!hasFetch(first)) throw noHandler("serve", first);
  if (isPlain(first)) {
    checkOptions("serve", first, WITH_FETCH);
    return first as ServeOptions;
  }
  return fieldsOf(first);
}

/** Throws BAD_OPTION for a first argument that is neither a handler nor has `fetch`, or that has options beside the second. */
export function checkHandler(owner: string, first: unknown): void {
  if (typeof first === "function") return;
  if (!hasFetch(first)) throw noHandler(owner, first);
  if (!isPlain(first)) return;
  for (const name in first) {
    if (name === "fetch") continue;
    throw badOption(`${owner} has ${name} beside fetch, and a second argument: give all options in the second one`);
  }
}

/** `graceMs` of `stop`. Throws BAD_OPTION. */
export function toGraceMs(owner: string, options: { readonly graceMs?: number | undefined }): number {
  checkOptions(owner, options, STOP_OPTIONS);
  return options.graceMs ?? STOP_GRACE_MS;
}

/**
 * The options among the fields of an object of a class, an application of a framework. It has fields and methods of its own,
 * such as Hono's `onError`, which is a method and no option; a field that nearly has an option's name is a mistake.
 */
function fieldsOf(application: object): ServeOptions {
  const fields = Object.fromEntries(Object.entries(application).filter(([, value]) => typeof value !== "function"));
  checkNearNames("serve", fields, Object.keys(WITH_FETCH));
  const options = Object.fromEntries(Object.entries(fields).filter(([name]) => Object.hasOwn(SERVE_OPTIONS, name)));
  checkValues(options, SERVE_OPTIONS);
  return options;
}

function hasFetch(value: unknown): value is { readonly fetch: FetchHandler } {
  return typeof value === "object" && value !== null && typeof (value as { fetch?: unknown }).fetch === "function";
}

function noHandler(owner: string, given: unknown): Error {
  const what = typeof given === "object" && given !== null ? "an object without the function fetch" : show(given);
  return badOption(
    `${owner} takes a handler, or { fetch }, not ${what}: write ${owner}((request) => "hello", options)`,
  );
}
