// The answer of the connection itself to a request that must not be served.

import { utf8Bytes } from "../base/bytes.ts";
import type { ChannelError } from "../base/errors.ts";
import { fieldsBeside, withoutNames } from "../codec/field-list.ts";
import { encodeResponseHead } from "../codec/http1-response.ts";
import type { ServerFields } from "./response-framing.ts";

/** Fields that the connection itself writes in a refusal, in place of the application's. */
const CONNECTION_FIELDS = ["date", "server", "connection", "keep-alive", "content-length", "transfer-encoding"];
const NOT_IN_REFUSALS: ReadonlySet<string> = new Set(CONNECTION_FIELDS);

export interface Refusal {
  readonly head: string;
  /** The error's text. Not sent in answer to HEAD. */
  readonly body: Uint8Array;
}

/** `fields`: those that the application adds to its responses. */
export function encodeRefusal(error: ChannelError, fields: readonly string[], server: ServerFields): Refusal {
  const body = utf8Bytes(`${error.message}\n`);
  // RFC 9110 §15.6.4: tells the client when to come back.
  const retry = error.status === 503 ? ["Retry-After", "1"] : [];
  const own = ["Content-Type", "text/plain; charset=utf-8", ...retry];
  const others = fieldsBeside(withoutNames(fields, NOT_IN_REFUSALS), own);
  const head =
    encodeResponseHead(error.status ?? 400, [...own, ...others]) +
    server.dateField() +
    server.serverField +
    `Connection: close\r\nContent-Length: ${body.length}\r\n\r\n`;
  return { head, body };
}
