// Headers as the application gives and reads them (Fetch semantics), and as the codecs want them: a flat list.

import { ChannelError } from "../base/errors.ts";
import { joinedValues } from "../codec/http1-request.ts";
import { isFieldValue, isToken } from "../codec/http1-syntax.ts";

/** Headers to send: a record (an array is one field line per value), a Fetch `Headers`, or pairs. */
export type HeadersInput =
  | Readonly<Record<string, string | number | readonly string[] | undefined>>
  | Iterable<readonly [string, string]>;

export const NO_FIELDS: readonly string[] = [];

/** Name, value, name, value, …, in order. What the values may hold is checked when the head is encoded. */
export function toFields(headers: HeadersInput): readonly string[] {
  if (typeof headers !== "object" || headers === null)
    throw new ChannelError("BAD_HEADER", "headers are not an object");
  const fields: string[] = [];
  if (Symbol.iterator in headers) {
    for (const [name, value] of headers) fields.push(String(name), String(value));
    return fields;
  }
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === "string") fields.push(name, value);
    else if (Array.isArray(value)) for (const one of value) fields.push(name, String(one));
    else if (value !== undefined) fields.push(name, String(value));
  }
  return fields;
}

/** Throws BAD_HEADER for a name or value that HTTP forbids: to be called before anything is made. */
export function checkFields(fields: readonly string[]): void {
  for (let i = 0; i < fields.length; i += 2) {
    if (isToken(fields[i]!) && isFieldValue(fields[i + 1]!)) continue;
    throw new ChannelError("BAD_HEADER", JSON.stringify(fields[i]));
  }
}

/** The headers of a request: names are case-insensitive, values of one name are joined, as in Fetch `Headers`. */
export class RequestHeaders implements Iterable<[string, string]> {
  readonly #fields: readonly string[];

  constructor(fields: readonly string[]) {
    this.#fields = fields;
  }

  /** All values of a name joined with ", " (`cookie`: "; ", RFC 9113 §8.2.3), or null. */
  get(name: string): string | null {
    const lower = name.toLowerCase();
    return joinedValues(this.#fields, lower, lower === "cookie" ? "; " : ", ") ?? null;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  /** Lower-case names with their joined values, sorted by name. */
  *entries(): Generator<[string, string]> {
    const names = new Set<string>();
    for (let i = 0; i < this.#fields.length; i += 2) names.add(this.#fields[i]!.toLowerCase());
    for (const name of [...names].sort()) yield [name, this.get(name)!];
  }

  *keys(): Generator<string> {
    for (const [name] of this.entries()) yield name;
  }

  *values(): Generator<string> {
    for (const [, value] of this.entries()) yield value;
  }

  forEach(fn: (value: string, name: string) => void): void {
    for (const [name, value] of this.entries()) fn(value, name);
  }

  [Symbol.iterator](): Generator<[string, string]> {
    return this.entries();
  }
}
