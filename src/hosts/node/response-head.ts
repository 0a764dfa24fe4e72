// The head of a response through `ServerResponse`: our fields beside those that middleware has set, and no field twice.

import { OutgoingMessage, ServerResponse } from "node:http";
import {
  fieldsBeside,
  joinFields,
  withoutContentFields,
  withoutNames,
  withPageFields,
} from "../../codec/field-list.ts";
import type { ResponseHead } from "../../codec/http1-response.ts";

const { writeHead } = ServerResponse.prototype;
const { write, end } = OutgoingMessage.prototype;

/** Public since Node 15.4, and missing in the types of Node 20. */
type WithRawNames = ServerResponse & { getRawHeaderNames(): string[] };

/** Fields that the response gets from its framing, whatever middleware has said of another body. */
const OF_FRAMING = ["Content-Length", "", "Transfer-Encoding", "", "Keep-Alive", ""];

/**
 * Fields of middleware that a 101 does not have: those of the handshake are the WebSocket's own, and it has neither body nor
 * trailers. Libraries refuse a handshake with two fields `Upgrade`.
 */
const NOT_OF_HANDSHAKE: ReadonlySet<string> = new Set([
  "connection",
  "upgrade",
  "trailer",
  "sec-websocket-accept",
  "sec-websocket-extensions",
  "sec-websocket-protocol",
]);

const CACHE_CONTROL = "Cache-Control";
const NAMES_OF_CACHE: ReadonlySet<string> = new Set([CACHE_CONTROL.toLowerCase()]);

const TRAILER: ReadonlySet<string> = new Set(["trailer"]);

/** True if no middleware has replaced a method that writes (compression does): bytes may go to the socket directly. */
export function isUnwrapped(response: ServerResponse): boolean {
  return response.write === write && response.end === end && response.writeHead === writeHead;
}

/** The fields that middleware has set: name, value, name, value, … */
export function fieldsSetBefore(response: ServerResponse): readonly string[] {
  const fields: string[] = [];
  for (const name of (response as WithRawNames).getRawHeaderNames()) {
    const value = response.getHeader(name);
    if (Array.isArray(value)) for (const one of value) fields.push(name, one);
    else if (value !== undefined) fields.push(name, String(value));
  }
  return fields;
}

/**
 * The fields that middleware sets for a 101, which we write ourselves. Middleware that sets its fields last replaces `writeHead` (on-headers:
 * the cookies of express-session), so that is called; its head is never sent.
 */
export function fieldsSetForUpgrade(response: ServerResponse): readonly string[] {
  const before = fieldsSetBefore(response);
  if (response.writeHead === writeHead) return before;
  // RFC 9111 §5.2.2.6: `compression` makes no compressor, of 270 kB, for a body that never comes.
  const cached = response.getHeader(CACHE_CONTROL);
  response.setHeader(CACHE_CONTROL, "no-transform");
  response.writeHead(101);
  const fields = withoutNames(fieldsSetBefore(response), NAMES_OF_CACHE);
  return cached === undefined ? fields : [...fields, CACHE_CONTROL, String(cached)];
}

/** Fields of an answer: middleware's count like the application's own, so they come before those for pages. */
export function withSetFields(
  fields: readonly string[],
  set: readonly string[],
  page: readonly string[] | undefined,
): readonly string[] {
  const own = set.length === 0 ? fields : joinFields(fieldsBeside(set, OF_FRAMING), fields);
  return page === undefined ? own : withPageFields(own, page);
}

/** Fields of a 101: those of the handshake, and those that middleware has set. */
export function withSetFieldsOfUpgrade(fields: readonly string[], set: readonly string[]): readonly string[] {
  if (set.length === 0) return fields;
  return withSetFields(fields, withoutNames(withoutContentFields(set), NOT_OF_HANDSHAKE), undefined);
}

/** Leaves `Trailer` out of a response that is not chunked and so has no trailers: Node refuses to write it. */
export function withoutTrailerField(fields: readonly string[]): readonly string[] {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]!.length === 7 && fields[i]!.toLowerCase() === "trailer") return withoutNames(fields, TRAILER);
  }
  return fields;
}

/** Writes a head, whose fields are checked. What was set before is among `fields`. */
export function writeFields(response: ServerResponse, { status, fields }: ResponseHead, hasSetFields: boolean): void {
  if (!hasSetFields && response.writeHead === writeHead) {
    response.writeHead(status, fields as string[]);
    return;
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  for (const [name, values] of byName(fields)) response.setHeader(name, values.length === 1 ? values[0]! : values);
  // Middleware that has replaced it (on-headers) reads fields by `getHeader`.
  response.writeHead(status);
}

function byName(fields: readonly string[]): Iterable<readonly [name: string, values: string[]]> {
  const found = new Map<string, readonly [name: string, values: string[]]>();
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    const values = found.get(name.toLowerCase());
    if (values === undefined) found.set(name.toLowerCase(), [name, [fields[i + 1]!]]);
    else values[1].push(fields[i + 1]!);
  }
  return found.values();
}
