// What the client gets when the application fails, or when the application finds out that the client did.

import { ChannelError } from "../base/errors.ts";
import type { SendInit } from "./send-data.ts";

/** The error's text stays here: it may hold what no client should see. */
const SERVER_ERROR: SendInit = failure(500, "Internal Server Error\n");

/** The answer in place of one for which there is no room, as all clients together have too much unsent. */
export const OVERLOADED: SendInit = { status: 503, headers: { "Retry-After": 1 }, body: "Service Unavailable\n" };

/** The server has no room for what the client sends: 503, and nothing to report for each client. */
function isOverflow(error: ChannelError): boolean {
  return error.code === "RECEIVE_OVERFLOW";
}

/** True for what a request's own helpers throw at a client's mistake, and for a client that left: nothing to report. */
export function isClientsFault(error: unknown): boolean {
  if (!(error instanceof ChannelError)) return false;
  return error.code === "CLIENT_GONE" || isOverflow(error) || (error.status !== undefined && error.status < 500);
}

/** The response to a request whose handler or setup threw this. A ChannelError tells a client what it did wrong. */
export function failureOf(error: unknown): SendInit {
  if (!(error instanceof ChannelError) || error.status === undefined) return SERVER_ERROR;
  if (error.status >= 500 && !isOverflow(error)) return SERVER_ERROR;
  return failure(error.status, `${error.message}\n`, error.status === 503 ? { "Retry-After": 1 } : undefined);
}

/** A channel's own Content-Type, which its options may give, is not that of this text. */
function failure(status: number, body: string, headers?: Readonly<Record<string, string | number>>): SendInit {
  return {
    status,
    headers: { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff", ...headers },
    body,
  };
}
