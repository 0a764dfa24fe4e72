// The head of a response through `ServerResponse`: our fields beside those that middleware has set, and no field twice.

import { OutgoingMessage, ServerResponse } from "node:http";
import { ChannelError } from "../../base/errors.ts";
import {
  fieldsBeside,
  joinFields,
  withCorsFields,
  withoutContentFields,
  withoutNames,
} from "../../codec/field-list.ts";
import { type ResponseHead, statusHasBody } from "../../codec/http1-response.ts";
import { readFramingFields } from "../../protocol/framing-headers.ts";
import { checkHead } from "../check-head.ts";

const { writeHead: writeNodeHead } = ServerResponse.prototype;
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
  return response.write === write && response.end === end && response.writeHead === writeNodeHead;
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
  if (response.writeHead === writeNodeHead) return before;
  // RFC 9111 §5.2.2.6: `compression` makes no compressor, of 270 kB, for a body that never comes.
  const cached = response.getHeader(CACHE_CONTROL);
  response.setHeader(CACHE_CONTROL, "no-transform");
  response.writeHead(101);
  const fields = withoutNames(fieldsSetBefore(response), NAMES_OF_CACHE);
  return cached === undefined ? fields : [...fields, CACHE_CONTROL, String(cached)];
}

/** Fields of an answer: middleware's count like the application's own, so they come before those for pages. */
function withSetFields(
  fields: readonly string[],
  set: readonly string[],
  page: readonly string[] | undefined,
): readonly string[] {
  const own = set.length === 0 ? fields : joinFields(fieldsBeside(set, OF_FRAMING), fields);
  return page === undefined ? own : withCorsFields(own, page);
}

/** Fields of a 101: those of the handshake, and those that middleware has set. */
export function withSetFieldsOfUpgrade(fields: readonly string[], set: readonly string[]): readonly string[] {
  if (set.length === 0) return fields;
  return withSetFields(fields, withoutNames(withoutContentFields(set), NOT_OF_HANDSHAKE), undefined);
}

/** The request and the body of a response, as far as its head depends on them. */
interface HeadOptions {
  readonly isHead: boolean;
  /** The minor version of HTTP/1. */
  readonly minor: 0 | 1;
  /** Fields by which a page of another origin may read the response. */
  readonly corsFields: readonly string[] | undefined;
  /** Bytes of the body; undefined if they are not known. */
  readonly length: number | undefined;
}

export interface WrittenHead {
  /** False if the response can have no body. */
  readonly hasBody: boolean;
  /** The connection ends with the response. */
  readonly closes: boolean;
}

/** Writes the head of a response. Throws ALREADY_ANSWERED, BAD_STATUS and BAD_HEADER. */
export function writeHead(
  response: ServerResponse,
  { status, fields: given }: ResponseHead,
  { isHead, minor, corsFields, length }: HeadOptions,
): WrittenHead {
  if (response.headersSent || response.writableEnded) {
    throw new ChannelError("ALREADY_ANSWERED", "other code has begun the response of this exchange");
  }
  const set = fieldsSetBefore(response);
  const fields = withSetFields(given, set, corsFields);
  checkHead({ status, fields });
  const own = readFramingFields(fields);
  let sent = own.fields ?? fields;
  const add = (name: string, value: string): void => void (sent = [...sent, name, value]);
  if (own.close) add("Connection", `${own.connection}close`);
  else if (own.connection !== "") add("Connection", own.connection.slice(0, -2));
  const hasBody = statusHasBody(status) && !isHead;
  if (!hasBody || length !== undefined || minor === 0) sent = withoutTrailerField(sent);
  if (hasBody && length !== undefined) add("Content-Length", String(length));
  // RFC 9110 §15.3.6: no content, and said so.
  else if (status === 205) add("Content-Length", "0");
  else if (status === 304 || (isHead && statusHasBody(status))) {
    const known = own.length ?? (isHead && length !== undefined ? String(length) : undefined);
    if (known !== undefined) add("Content-Length", known);
  }
  writeFields(response, { status, fields: sent }, set.length > 0);
  return { hasBody, closes: own.close || !response.shouldKeepAlive };
}

/** Leaves `Trailer` out of a response that is not chunked and so has no trailers: Node refuses to write it. */
function withoutTrailerField(fields: readonly string[]): readonly string[] {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]!.length === 7 && fields[i]!.toLowerCase() === "trailer") return withoutNames(fields, TRAILER);
  }
  return fields;
}

/** Writes a head, whose fields are checked. `fields` includes those that were set before. */
function writeFields(response: ServerResponse, { status, fields }: ResponseHead, hasSetFields: boolean): void {
  if (!hasSetFields && response.writeHead === writeNodeHead) {
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
