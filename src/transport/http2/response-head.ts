// The fields of a response in the form that node:http2 takes. The fields of one connection are left out: HTTP/2 has frames for
// what they say, and a client must refuse a response that has them (RFC 9113 §8.2.2).

import { ChannelError } from "../../base/errors.ts";
import { fieldsBeside, withCorsFields, withoutContentFields } from "../../codec/field-list.ts";
import { type ResponseHead, statusHasBody } from "../../codec/http1-response.ts";
import { isFieldValue, isToken } from "../../codec/http1-syntax.ts";
import type { ResponseFields } from "./server-stream.ts";

/**
 * Largest head in bytes, as RFC 9113 §6.5.2 counts its fields. Clients take no larger one by default, node:http2's own client
 * included: it ends the connection.
 */
const MAX_HEAD_BYTES = 65_536;
const FIELD_OVERHEAD_BYTES = 32;

/** RFC 9113 §8.2.2. `te` is for requests alone. */
const OF_CONNECTION = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"]);

/** The fields that each response of a server has: whole lines of HTTP/1.1, or empty. */
export interface ServerFields {
  readonly dateField: () => string;
  readonly serverField: string;
}

/**
 * Returns the fields of a response to a request with this method. `length` of its body; undefined if it is not known. Throws BAD_HEADER and BAD_STATUS, as
 * HTTP/1.1 does.
 */
export function toResponseFields(
  { status, fields }: ResponseHead,
  length: number | undefined,
  method: string,
  server: ServerFields,
): ResponseFields {
  if (!Number.isInteger(status) || status < 200 || status > 999) throw new ChannelError("BAD_STATUS", String(status));
  // With its prototype: an object without one costs four times as much (330 and 80 ns for two fields, Node 20.20).
  const result: ResponseFields = { ":status": status };
  let ownLength: string | undefined;
  let headBytes = 0;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    const value = fields[i + 1]!;
    const lower = sentNames.get(name) ?? toSentName(name);
    if (!isFieldValue(value)) throw new ChannelError("BAD_HEADER", name);
    if (lower === NOT_SENT) continue;
    headBytes += name.length + value.length + FIELD_OVERHEAD_BYTES;
    if (headBytes > MAX_HEAD_BYTES)
      throw new ChannelError("BAD_HEADER", `${name}: a response head of HTTP/2 has at most 64 KiB`);
    if (lower === "content-length") {
      if (/^\d+$/.test(value)) ownLength = value;
      continue;
    }
    // A field may be called "constructor", too, or "__proto__".
    const before = Object.hasOwn(result, lower) ? result[lower] : undefined;
    if (before === undefined) add(result, lower, value);
    else if (Array.isArray(before)) before.push(value);
    else result[lower] = [String(before), value];
  }
  result["date"] ??= valueOfLine(server.dateField());
  if (server.serverField !== "") result["server"] ??= valueOfLine(server.serverField);
  if (statusHasBody(status)) {
    // RFC 9110 §8.6: to HEAD the length that GET would have; the application may know it better.
    if (method === "HEAD" && ownLength !== undefined) result["content-length"] = ownLength;
    else if (length !== undefined) result["content-length"] = length;
  } else if (status === 304 && ownLength !== undefined) result["content-length"] = ownLength;
  return result;
}

/** Returns the head of the answer to a request that is refused with this error. `set`: fields that the application has set. */
export function toErrorHead(
  { status = 400 }: ChannelError,
  set: readonly string[],
  corsFields: readonly string[] | undefined,
): ResponseHead {
  // RFC 9110 §15.6.4: the client may come back, and is told when.
  const own = ["Content-Type", "text/plain; charset=utf-8", ...(status === 503 ? ["Retry-After", "1"] : [])];
  const usual = withoutContentFields(set);
  const others = corsFields === undefined ? usual : withCorsFields(usual, corsFields);
  return { status, fields: [...own, ...fieldsBeside(others, [...own, "Date", "", "Server", ""])] };
}

function add(result: ResponseFields, name: string, value: string): void {
  if (name !== "__proto__") result[name] = value;
  else Object.defineProperty(result, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Names in place of which nothing is sent. */
const NOT_SENT = "";

/** The names as they are sent, by the names as they were given: an application has few, and checking one costs 100 ns. */
const sentNames = new Map<string, string>();
const MAX_SENT_NAMES = 512;

function toSentName(name: string): string {
  if (!isToken(name)) throw new ChannelError("BAD_HEADER", "name is not a token");
  const lower = name.toLowerCase();
  const sent = OF_CONNECTION.has(lower) ? NOT_SENT : lower;
  if (sentNames.size < MAX_SENT_NAMES) sentNames.set(name, sent);
  return sent;
}

/** The last field line that was taken apart: the date is the same for a second. */
let lastLine = "";
let lastValue = "";

/** The value of a whole field line. */
function valueOfLine(line: string): string {
  if (line !== lastLine) {
    lastValue = line.slice(line.indexOf(":") + 2, -2);
    lastLine = line;
  }
  return lastValue;
}
