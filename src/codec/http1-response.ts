// Response heads and chunk framing to text. RFC 9112 §4 and §7.1, RFC 9110 §15.
// The text is latin1, so that it can be joined with other output.

import { ChannelError } from "../base/errors.ts";
import { isFieldValue, isToken } from "./http1-syntax.ts";

/** Status and fields of a response without its framing: the connection adds `Content-Length` and the like. */
export interface ResponseHead {
  readonly status: number;
  /** Name, value, name, value, … */
  readonly fields: readonly string[];
}

/** RFC 9112 §7.1: the chunk of size zero, no trailers. */
export const LAST_CHUNK = "0\r\n\r\n";

/** RFC 9110 §15.2.1: the interim response that asks for the body. */
export const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

/** RFC 2518 §10.1: the interim response of a server that still works on a request; it may be sent any number of times. */
export const PROCESSING = "HTTP/1.1 102 Processing\r\n\r\n";

/** The status codes of RFC 9110 §15, and others of IANA's registry. */
const REASON_PHRASES: ReadonlyMap<number, string> = new Map(
  `100 Continue, 101 Switching Protocols, 102 Processing, 103 Early Hints, 200 OK, 201 Created, 202 Accepted,
   203 Non-Authoritative Information, 204 No Content, 205 Reset Content, 206 Partial Content, 207 Multi-Status,
   208 Already Reported, 226 IM Used, 300 Multiple Choices, 301 Moved Permanently, 302 Found, 303 See Other,
   304 Not Modified, 305 Use Proxy, 307 Temporary Redirect, 308 Permanent Redirect, 400 Bad Request,
   401 Unauthorized, 402 Payment Required, 403 Forbidden, 404 Not Found, 405 Method Not Allowed, 406 Not Acceptable,
   407 Proxy Authentication Required, 408 Request Timeout, 409 Conflict, 410 Gone, 411 Length Required,
   412 Precondition Failed, 413 Content Too Large, 414 URI Too Long, 415 Unsupported Media Type,
   416 Range Not Satisfiable, 417 Expectation Failed, 418 I'm a Teapot, 421 Misdirected Request,
   422 Unprocessable Content, 423 Locked, 424 Failed Dependency, 425 Too Early, 426 Upgrade Required,
   428 Precondition Required, 429 Too Many Requests, 431 Request Header Fields Too Large,
   451 Unavailable For Legal Reasons, 500 Internal Server Error, 501 Not Implemented, 502 Bad Gateway,
   503 Service Unavailable, 504 Gateway Timeout, 505 HTTP Version Not Supported, 506 Variant Also Negotiates,
   507 Insufficient Storage, 508 Loop Detected, 510 Not Extended, 511 Network Authentication Required`
    .split(/,\s+/)
    .map((line) => [Number(line.slice(0, 3)), line.slice(4)]),
);

/** The status lines that were asked for so far, by status: at most 900. */
const statusLines = new Map<number, string>();

/** The reason phrase of a status; "" for one without a name. */
export function reasonPhrase(status: number): string {
  return REASON_PHRASES.get(status) ?? "";
}

/** RFC 9110 §6.4.1, §15.3.6: whether a response of this status carries content. */
export function statusHasBody(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 205 && status !== 304;
}

/**
 * The status line and the fields (name, value, name, value, …; names as given) without the blank line: the caller adds
 * the fields that frame the message. Throws ChannelError BAD_STATUS unless the status is an integer from 100 to 999, and
 * BAD_HEADER for a name or value that could not be read back as it is.
 */
export function encodeResponseHead(status: number, fields: readonly string[]): string {
  let head = statusLines.get(status) ?? addStatusLine(status);
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]!;
    const value = fields[index + 1]!;
    if (!isToken(name)) throw new ChannelError("BAD_HEADER", "name is not a token");
    if (!isFieldValue(value)) throw new ChannelError("BAD_HEADER", name);
    head += name + ": " + value + "\r\n";
  }
  return head;
}

/** RFC 9112 §7.1: the line before the data of a chunk; CRLF follows the data. A size of 0 would end the body. */
export function encodeChunk(size: number): string {
  return size.toString(16) + "\r\n";
}

function addStatusLine(status: number): string {
  if (!Number.isInteger(status) || status < 100 || status > 999) throw new ChannelError("BAD_STATUS", String(status));
  // RFC 9112 §4: the space before an empty reason phrase stays.
  const line = `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`;
  statusLines.set(status, line);
  return line;
}
