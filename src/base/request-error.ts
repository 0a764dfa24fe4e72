// The error with which an application refuses a request on purpose. Unlike any other exception it is told to the other end.

import { ChannelError } from "./channel-error.ts";

/**
 * Thrown by a request handler to refuse the request: the promise of the other end rejects with a `RequestError` that has the
 * same `reason` and `data`. The text and the stack of other exceptions stay on their side.
 */
export class RequestError extends ChannelError {
  /** The text for the other end. */
  readonly reason: string;
  /** Data for the other end: a JSON value. On arrival: whatever the other end has sent, unchecked. */
  readonly data: unknown;

  /** `data`: a JSON value. */
  constructor(reason: string, data?: unknown) {
    // Plain JavaScript may give anything. The other end takes an error whose reason is no text for malformed.
    const text = reason === undefined ? "" : String(reason);
    super("REQUEST_REFUSED", text);
    this.name = "RequestError";
    this.reason = text;
    this.data = data;
  }
}
