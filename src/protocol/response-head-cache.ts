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
  /** The length of the last body, and the whole head with it; undefined until a second body has that length. */
  length: number;
  whole: string | undefined;
}

/** A power of two. Each head has one slot; two heads with the same slot replace each other. */
const SLOTS = 16;

const heads: (CachedHead | undefined)[] = new Array(SLOTS).fill(undefined);

/**
 * Returns the whole head of a response with a body of `length` bytes: status line, fields, `Date`, `Server`, `Content-Length` and
 * the blank line. Undefined for the first use of a head, and if the application sets a field that the connection decides. `fields`
 * must not change any more. Throws like `encodeResponseHead`.
 */
export function cachedHead(
  status: number,
  fields: readonly string[],
  dateField: string,
  serverField: string,
  length: number,
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
    return known.text === undefined ? undefined : wholeHead(known, known.text, length);
  }
  heads[slot] = {
    status,
    fields,
    dateField,
    serverField,
    text: undefined,
    isMade: false,
    length: -1,
    whole: undefined,
  };
  return undefined;
}

function wholeHead(known: CachedHead, text: string, length: number): string {
  if (known.length === length) {
    known.whole ??= flat(`${text}Content-Length: ${length}\r\n\r\n`);
    return known.whole;
  }
  known.length = length;
  known.whole = undefined;
  return `${text}Content-Length: ${length}\r\n\r\n`;
}

function made({ status, fields, dateField, serverField }: CachedHead): string | undefined {
  const own = readFramingFields(fields);
  if (own.date || own.server || (own.fields ?? fields).length < fields.length) return undefined;
  return flat(encodeResponseHead(status, fields) + dateField + serverField);
}

/** V8 keeps the parts of a joined string until its characters are read: otherwise each response would copy them again. */
function flat(text: string): string {
  latin1Bytes(text);
  return text;
}

/** Compared strings are nearly always the same object, or differ in length. */
function isSame(left: readonly string[], right: readonly string[]): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}
