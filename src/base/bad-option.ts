// Errors for options: they name the option, its value and the values that are allowed. A file of its own, because the client
// needs only these of the checks.

import { ChannelError } from "./channel-error.ts";

export function badValue(name: string, value: unknown, allowed: string): ChannelError {
  return badOption(`${name} is ${show(value)}; it must be ${allowed}`);
}

export function badOption(text: string, options?: ErrorOptions): ChannelError {
  return new ChannelError("BAD_OPTION", text, options);
}

/** Writes a value for an error's text. Never throws, even if the value's `toString` does. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  return Array.isArray(value) ? "a list" : "an object";
}
