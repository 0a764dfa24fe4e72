// Checks the arguments of `serve` and `stop`: a wrong name or value is refused at once, not when the first client suffers from it.

import { checkNearNames } from "../base/near-names.ts";
import {
  badOption,
  checkAmount,
  checkFunction,
  checkOptions,
  checkValues,
  isPlain,
  type OptionTable,
  show,
} from "../base/option-values.ts";
import { type FetchHandler, SERVE_CHECKS, type ServeOptions } from "./options.ts";

const WITH_FETCH: OptionTable = { ...SERVE_CHECKS, fetch: checkFunction };
const STOP_OPTIONS: OptionTable = { graceMs: checkAmount };
const STOP_GRACE_MS = 5000;

/**
 * Returns the options among the arguments of `serve`: `(handler, options)`, `({ fetch, ...options })` or `(application, options)`.
 * Throws BAD_OPTION, which says what to pass, for anything else.
 */
export function toServeOptions(first: unknown, second: unknown): ServeOptions {
  if (typeof first === "function" || second !== undefined) {
    checkRequestHandler("serve", first);
    if (second !== undefined) checkOptions("serve", second, SERVE_CHECKS);
    return (second ?? {}) as ServeOptions;
  }
  if (!hasFetch(first)) throw noHandler("serve", first);
  if (isPlain(first)) {
    checkOptions("serve", first, WITH_FETCH);
    return first as ServeOptions;
  }
  return fieldsOf(first);
}

/** Throws BAD_OPTION if `first` is neither a handler nor has `fetch`, or has options although there is a second argument. */
export function checkRequestHandler(owner: string, first: unknown): void {
  if (typeof first === "function") return;
  if (!hasFetch(first)) throw noHandler(owner, first);
  if (!isPlain(first)) return;
  for (const name in first) {
    if (name === "fetch") continue;
    throw badOption(`${owner} has ${name} beside fetch, and a second argument: give all options in the second one`);
  }
}

/** Returns `graceMs` of `stop`, or its default. Throws BAD_OPTION. */
export function toGraceMs(owner: string, options: { readonly graceMs?: number | undefined }): number {
  checkOptions(owner, options, STOP_OPTIONS);
  return options.graceMs ?? STOP_GRACE_MS;
}

/**
 * Returns the options among the fields of an object of a class, such as a framework's application. It has fields and methods
 * of its own: Hono's `onError` is a method, not an option. A field whose name is nearly an option's is refused as a mistake.
 */
function fieldsOf(application: object): ServeOptions {
  const fields = Object.fromEntries(Object.entries(application).filter(([, value]) => typeof value !== "function"));
  checkNearNames("serve", fields, Object.keys(WITH_FETCH));
  const options = Object.fromEntries(Object.entries(fields).filter(([name]) => Object.hasOwn(SERVE_CHECKS, name)));
  checkValues(options, SERVE_CHECKS);
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
