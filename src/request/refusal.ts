// The refusal of a request: a plain HTTP answer with an error, for WebSockets and sessions.

import { ChannelError, type ErrorCode } from "../base/errors.ts";
import { bodyMessage } from "../protocol/outbound-message.ts";
import { PLAIN } from "../transport/http/format.ts";
import { HttpTransport } from "../transport/http/transport.ts";
import { contextOf } from "./context.ts";
import type { ChannelRequest } from "./request.ts";

export interface Refusal {
  readonly status: number;
  /** Body of the answer, without the line break at its end. */
  readonly message: string;
  readonly fields?: readonly string[];
  /** The code with which the refusal is counted and logged. */
  readonly code?: ErrorCode;
}

/** Returns the refusal for an error that has a status. Throws any other error. */
export function toRefusal(error: unknown): Refusal {
  if (error instanceof ChannelError && error.status !== undefined)
    return { status: error.status, message: error.message, code: error.code };
  throw error;
}

/** Answers the request. `own`: the application's fields. */
export function refuse(request: ChannelRequest, refusal: Refusal, own: readonly string[]): HttpTransport {
  const { status, message, code } = refusal;
  contextOf(request).refused(request, status, message, code);
  const fields = refusal.fields === undefined ? [] : [...refusal.fields];
  // RFC 9110 §15.5.22: a 426 names the required protocol. RFC 6455 §4.4: it names the supported version, too.
  if (status === 426) fields.push("Upgrade", "websocket", "Sec-WebSocket-Version", "13");
  // RFC 9110 §15.6.4: a 503 may say when the client may come back.
  if (status === 503) fields.push("Retry-After", "1");
  // A client that asks for a WebSocket may go on sending frames (RFC 6455 §4.2.2 item 4).
  if (request.isWebSocket) fields.push("Connection", status === 426 ? "Upgrade, close" : "close");
  const transport = new HttpTransport(request.exchange, PLAIN, own);
  transport.sendLast({ ...bodyMessage(`${message}\n`), status, fields });
  return transport;
}
