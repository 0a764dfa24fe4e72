// Converts headers between the forms of the application (Fetch semantics) and of the codecs (a flat list).

import { show } from "../base/bad-option.ts";
import { ChannelError } from "../base/errors.ts";
import { isPlain } from "../base/option-values.ts";
import { joinedValues } from "../codec/field-values.ts";
import { encodeResponseHead } from "../codec/http1-response.ts";

/**
 * Headers to send: a record (an array is one field line per value; undefined and null send nothing; of names that differ in
 * case alone the last one counts), a Fetch `Headers`, or pairs.
 */
export type HeadersInput =
  | Readonly<Record<string, string | number | readonly string[] | undefined | null>>
  | Iterable<readonly [string, string]>;

export const NO_FIELDS: readonly string[] = [];

/** Fields of which an object may have several, spelled differently: all are sent (RFC 9110 §5.3, §12.5.5). */
const ADDED = /^(?:set-cookie|vary)$/i;

/**
 * Name, value, name, value, …, in order. The characters of values are checked when the head is encoded. Throws BAD_HEADER for
 * what is not a `HeadersInput`, and for a value that is sure to be a mistake.
 */
export function toFields(headers: HeadersInput): readonly string[] {
  // A promise has no properties, so no header would be sent.
  if (typeof headers !== "object" || headers === null || typeof (headers as { then?: unknown }).then === "function")
    throw new ChannelError("BAD_HEADER", `headers are ${show(headers)}; give an object, a Fetch Headers, or pairs`);
  let fields: string[] = [];
  if (Symbol.iterator in headers) {
    for (const pair of headers) {
      if (!Array.isArray(pair) || pair.length !== 2)
        throw new ChannelError("BAD_HEADER", `${show(pair)} in headers is not a list of a name and a value`);
      const [name, value] = pair as readonly [string, string];
      if (isGiven(value)) fields.push(String(name), toText(name, value));
    }
    return fields;
  }
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === "string") {
      // V8 makes room for 17 elements with the first `push`; most responses have one field.
      if (fields.length === 0) fields = [name, value];
      else fields.push(name, value);
    } else if (Array.isArray(value)) {
      for (const one of value) if (isGiven(one)) fields.push(name, toText(name, one));
    } else if (isGiven(value)) fields.push(name, toText(name, value));
  }
  return fields.length > 2 ? withoutSpellings(fields) : fields;
}

/** Removes a field if a later one has the same name in another case, as in `{ ...defaults, "content-type": "…" }`. */
function withoutSpellings(fields: string[]): string[] {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    for (let j = i + 2; j < fields.length; j += 2) {
      const other = fields[j]!;
      if (name.length !== other.length || name === other || name.toLowerCase() !== other.toLowerCase()) continue;
      if (ADDED.test(name)) break;
      fields.splice(i, 2);
      i -= 2;
      break;
    }
  }
  return fields;
}

/** Returns the same fields. Throws BAD_HEADER for a name or value that HTTP forbids. */
export function checkFields(fields: readonly string[]): readonly string[] {
  if (fields.length > 0) encodeResponseHead(200, fields);
  return fields;
}

function toText(name: string, value: unknown): string {
  if (!hasNoText(value)) return String(value);
  throw new ChannelError("BAD_HEADER", `the value of ${show(name)} is ${show(value)}, not a string`);
}

/** True for a value whose text is surely a mistake: "[object Object]", or the source of a function. */
export function hasNoText(value: unknown): boolean {
  return typeof value === "function" || typeof value === "symbol" || value instanceof Promise || isPlain(value);
}

/** False for undefined and null. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
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
    return joinedValues(this.#fields, lower, separatorOf(lower)) ?? null;
  }

  /** True if there is a field of this name, in any case. */
  has(name: string): boolean {
    return this.get(name) !== null;
  }

  /** Lower-case names with their joined values, sorted by name. */
  *entries(): Generator<[string, string]> {
    const values = new Map<string, string>();
    for (let i = 0; i < this.#fields.length; i += 2) {
      const name = this.#fields[i]!.toLowerCase();
      const value = this.#fields[i + 1]!;
      const before = values.get(name);
      values.set(name, before === undefined ? value : before + separatorOf(name) + value);
    }
    for (const name of [...values.keys()].sort()) yield [name, values.get(name)!];
  }

  /** The names in lower case, sorted, each once. */
  *keys(): Generator<string> {
    for (const [name] of this.entries()) yield name;
  }

  /** The joined values, sorted by name. */
  *values(): Generator<string> {
    for (const [, value] of this.entries()) yield value;
  }

  /** Calls `fn` for each name with its joined value. */
  forEach(fn: (value: string, name: string) => void): void {
    for (const [name, value] of this.entries()) fn(value, name);
  }

  /** Iterates over names in lower case and joined values. */
  [Symbol.iterator](): Generator<[string, string]> {
    return this.entries();
  }
}

function separatorOf(lowerName: string): string {
  return lowerName === "cookie" ? "; " : ", ";
}
