// The head of a response with the fields that the connection writes itself: those that frame the body (RFC 9112 §6.3) and
// those that say whether another request may follow (§9.3). They stand in place of what the application has set.

import type { RequestHead } from "../codec/http1-request.ts";
import { encodeResponseHead, type ResponseHead, statusHasBody } from "../codec/http1-response.ts";
import { readOwnFields } from "./framing-headers.ts";

/** The fields that a server adds to each response that does not set them. */
export interface ServerFields {
  /** Returns the `Date` field, whole: `Date: …` and CRLF. The clock stays outside. */
  readonly dateField: () => string;
  /** The `Server` field, whole, or an empty string. */
  readonly serverField: string;
}

/** The facts beside the response that decide its framing. */
export interface FramingFacts {
  readonly request: Pick<RequestHead, "method" | "minor">;
  /** Length of the body in bytes; undefined if it is not known. */
  readonly length: number | undefined;
  /** False if no request can follow on this connection. */
  readonly mayKeepAlive: boolean;
}

export interface FramedHead {
  readonly head: string;
  /** True if the response ends with its head. */
  readonly bodyless: boolean;
  /** False if the connection closes after this response. */
  readonly keepAlive: boolean;
}

/** Throws BAD_STATUS or BAD_HEADER for a response that cannot be encoded. */
export function frameResponse(response: ResponseHead, facts: FramingFacts, server: ServerFields): FramedHead {
  const { status } = response;
  const { request, length } = facts;
  const isHead = request.method === "HEAD";
  // RFC 9110 §9.3.6: after a 2xx to CONNECT the client takes every byte for the tunnel's.
  const isTunnel = request.method === "CONNECT" && status < 300;
  const bodyless = isHead || isTunnel || !statusHasBody(status);
  const isUntilClose = length === undefined && !bodyless && request.minor === 0;
  const own = readOwnFields(response.fields);
  const keepAlive = facts.mayKeepAlive && !own.close && !isTunnel && !isUntilClose;

  let head = encodeResponseHead(status, own.fields ?? response.fields);
  if (!own.date) head += server.dateField();
  if (!own.server) head += server.serverField;
  if (!keepAlive) head += `Connection: ${own.connection}close\r\n`;
  else if (request.minor === 0) head += "Connection: keep-alive\r\n";
  else if (own.connection !== "") head += `Connection: ${own.connection.slice(0, -2)}\r\n`;

  if (!bodyless) {
    if (length !== undefined) head += `Content-Length: ${length}\r\n`;
    else if (request.minor === 1) head += "Transfer-Encoding: chunked\r\n";
  } else if (status === 205) {
    // RFC 9110 §15.3.6: a 205 has no content, and announces that.
    head += "Content-Length: 0\r\n";
  } else if (status === 304) {
    if (own.length !== undefined) head += `Content-Length: ${own.length}\r\n`;
  } else if (isHead && statusHasBody(status)) {
    // RFC 9110 §8.6: the length that GET would have. One that the application has set wins.
    if (own.length !== undefined) head += `Content-Length: ${own.length}\r\n`;
    else if (length !== undefined) head += `Content-Length: ${length}\r\n`;
  }
  return { head: head + "\r\n", bodyless, keepAlive };
}
