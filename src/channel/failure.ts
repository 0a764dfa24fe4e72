// The answer to a request when the application has failed, or has found a mistake of the client.

import { ChannelError } from "../base/errors.ts";
import type { SendInit } from "./send-data.ts";

/** Without the error's text, which may hold secrets. */
const SERVER_ERROR: SendInit = failure(500, "Internal Server Error\n");

/** Replaces an answer when the unsent bytes of all clients are over their limit. */
export const OVERLOADED: SendInit = { status: 503, headers: { "Retry-After": 1 }, body: "Service Unavailable\n" };

/** True if the server has no room for the bytes of the client. The answer is 503; it is not reported for each client. */
function isOverflow(error: ChannelError): boolean {
  return error.code === "RECEIVE_OVERFLOW";
}

/** True for an error that the client caused, by a mistake or by leaving. It is not reported. */
export function isClientsFault(error: unknown): boolean {
  if (!(error instanceof ChannelError)) return false;
  return error.code === "CLIENT_GONE" || isOverflow(error) || (error.status !== undefined && error.status < 500);
}

/** The response to a request whose handler or setup threw `error`. A ChannelError tells the client its mistake. */
export function failureOf(error: unknown): SendInit {
  if (!(error instanceof ChannelError) || error.status === undefined) return SERVER_ERROR;
  if (error.status >= 500 && !isOverflow(error)) return SERVER_ERROR;
  return failure(error.status, `${error.message}\n`, error.status === 503 ? { "Retry-After": 1 } : undefined);
}

/** The Content-Type is given because the channel's options may name another one. */
function failure(status: number, body: string, headers?: Readonly<Record<string, string | number>>): SendInit {
  return {
    status,
    headers: { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff", ...headers },
    body,
  };
}
