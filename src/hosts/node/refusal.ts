// The answers to requests that reach a route and are not served, whatever the route does.

import type { ChannelError } from "../../base/errors.ts";
import type { ResponseHead } from "../../codec/http1-response.ts";
import { TEXT_PLAIN } from "../../transport/http/transport.ts";

export interface Refusal extends ResponseHead {
  readonly body: string;
}

/** The channels have ended with a stop. */
export const STOPPED: Refusal = {
  status: 503,
  fields: [...TEXT_PLAIN, "Retry-After", "1"],
  body: "Service Unavailable\n",
};

/** Node passes on requests that the engine refuses. Their fields would be believed. */
const CLOSING = [...TEXT_PLAIN, "Connection", "close"];
export const BAD_HOST: Refusal = { status: 400, fields: CLOSING, body: "malformed HTTP request: Host\n" };
export const BAD_VERSION: Refusal = { status: 505, fields: CLOSING, body: "HTTP version not supported\n" };

/** The answer to a head of HTTP/2 that the engine refuses. */
export function refusalOf({ status = 400, message }: ChannelError): Refusal {
  return { status, fields: TEXT_PLAIN, body: `${message}\n` };
}
