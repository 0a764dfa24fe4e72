// The framing of a response: the head with the fields that the connection decides (RFC 9112 §6.3 and §9.3), in place of those that
// the application has set.

import type { RequestHead } from "../codec/http1-request.ts";
import { encodeResponseHead, type ResponseHead, statusHasBody } from "../codec/http1-response.ts";
import { readFramingFields } from "./framing-headers.ts";

export interface FramedHead {
  /** The whole head, with its blank line. */
  readonly head: string;
  /** True if no body follows, whatever the head says (RFC 9112 §6.3). */
  readonly bodyless: boolean;
  /** True if the connection may carry another request afterwards. */
  readonly persists: boolean;
}

interface FramingContext {
  readonly request: Pick<RequestHead, "method" | "minor">;
  /** False if the connection closes after this response in any case. */
  readonly mayPersist: boolean;
  /** Whole lines, or empty. */
  readonly server: { readonly dateField: () => string; readonly serverField: string };
}

/** `length` of the body; undefined if it is not known. Throws BAD_STATUS and BAD_HEADER. */
export function frameResponse(
  response: ResponseHead,
  length: number | undefined,
  { request, mayPersist, server }: FramingContext,
): FramedHead {
  const { status } = response;
  const isHead = request.method === "HEAD";
  // RFC 9110 §9.3.6: after a 2xx to CONNECT the client takes every byte for the tunnel's.
  const isTunnel = request.method === "CONNECT" && status < 300;
  const bodyless = isHead || isTunnel || !statusHasBody(status);
  const own = readFramingFields(response.fields);
  // A body of unknown length ends with the connection for HTTP/1.0.
  const endsWithConnection = length === undefined && !bodyless && request.minor === 0;
  const persists = mayPersist && !own.close && !isTunnel && !endsWithConnection;
  let head = encodeResponseHead(status, own.fields ?? response.fields);

  if (!own.date) head += server.dateField();
  if (!own.server) head += server.serverField;
  if (!persists) head += `Connection: ${own.connection}close\r\n`;
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
  return { head: `${head}\r\n`, bodyless, persists };
}
