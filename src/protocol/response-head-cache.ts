// The heads of ordinary responses, remembered. A server answers most requests with a few kinds of response, whose heads
// differ in nothing but the length of the body. With one field it is found in 0.4 of the time that making it takes, with five
// in 0.3 (bench/micro/response-head.js), and all that a GET costs above the socket is an eighth less.

import { latin1Bytes } from "../base/bytes.ts";
import { encodeResponseHead } from "../codec/http1-response.ts";
import { readOwnFields } from "./framing-headers.ts";

interface OrdinaryHead {
  readonly status: number;
  readonly fields: readonly string[];
  /** `Date` and `Server`, whole. */
  readonly dateField: string;
  readonly serverField: string;
  /** Undefined where the application sets a field that the connection has a say in. */
  text: string | undefined;
  /** False until it is asked for again: a head with an ETag or a cookie of its own never is. */
  isMade: boolean;
}

/** A power of two. Each head has one place; who shares it with others is made anew when they were asked for between. */
const PLACES = 16;

const heads: (OrdinaryHead | undefined)[] = new Array(PLACES).fill(undefined);

/**
 * Status line, fields, `Date` and `Server`: what stands before the framing fields. Undefined for the first of its kind, and
 * where the application sets a field that the connection has a say in. `fields` must not change any more. Throws like
 * `encodeResponseHead`.
 */
export function ordinaryHead(
  status: number,
  fields: readonly string[],
  dateField: string,
  serverField: string,
): string | undefined {
  const place = (status + fields.length + (fields[1] ?? "").length) & (PLACES - 1);
  const known = heads[place];
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
  heads[place] = { status, fields, dateField, serverField, text: undefined, isMade: false };
  return undefined;
}

function made({ status, fields, dateField, serverField }: OrdinaryHead): string | undefined {
  const own = readOwnFields(fields);
  if (own.date || own.server || (own.fields ?? fields).length < fields.length) return undefined;
  const text = encodeResponseHead(status, fields) + dateField + serverField;
  // Makes one flat string of what was joined: each answer would copy the parts anew.
  latin1Bytes(text);
  return text;
}

/** Compared strings are nearly always the same object, or differ in length. */
function isSame(left: readonly string[], right: readonly string[]): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}
