// A cache of the heads of ordinary responses. A server answers most requests with a few kinds of response, whose heads differ
// only in the length of the body. Finding a head takes 0.4 of the time of encoding it with one field, 0.3 with five
// (bench/micro/response-head.js); a GET costs an eighth less CPU time above the socket.

import { latin1Bytes } from "../base/bytes.ts";
import { encodeResponseHead } from "../codec/http1-response.ts";
import { readFramingFields } from "./framing-headers.ts";

interface CachedHead {
  readonly status: number;
  readonly fields: readonly string[];
  /** `Date` and `Server`, whole. */
  readonly dateField: string;
  readonly serverField: string;
  /** Undefined if the application sets a field that the connection decides. */
  text: string | undefined;
  /** False until the head is used again: one with an ETag or a cookie of its own never is. */
  isMade: boolean;
}

/** A power of two. Each head has one slot; two heads with the same slot replace each other. */
const SLOTS = 16;

const heads: (CachedHead | undefined)[] = new Array(SLOTS).fill(undefined);

/**
 * Returns status line, fields, `Date` and `Server`, to be followed by the framing fields. Undefined for the first use of a head,
 * and if the application sets a field that the connection decides. `fields` must not change any more. Throws like
 * `encodeResponseHead`.
 */
export function cachedHead(
  status: number,
  fields: readonly string[],
  dateField: string,
  serverField: string,
): string | undefined {
  const slot = (status + fields.length + (fields[1] ?? "").length) & (SLOTS - 1);
  const known = heads[slot];
  if (
    known !== undefined &&
    known.status === status &&
    known.dateField === dateField &&
    known.serverField === serverField &&
    isSame(known.fields, fields)
  ) {
    if (!known.isMade) known.text = made(known);
    known.isMade = true;
    return known.text;
  }
  heads[slot] = { status, fields, dateField, serverField, text: undefined, isMade: false };
  return undefined;
}

function made({ status, fields, dateField, serverField }: CachedHead): string | undefined {
  const own = readFramingFields(fields);
  if (own.date || own.server || (own.fields ?? fields).length < fields.length) return undefined;
  const text = encodeResponseHead(status, fields) + dateField + serverField;
  // Flattens the string: otherwise each response would copy the parts again.
  latin1Bytes(text);
  return text;
}

/** Compared strings are nearly always the same object, or differ in length. */
function isSame(left: readonly string[], right: readonly string[]): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}
