// Ends a response only after its request has been read. Node closes the socket at the end of a response with `Connection: close`. If
// the client is still uploading, the system then sends a reset, which destroys the response on its way (RFC 9110 §15.5.14, RFC 9112
// §9.6).

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../base/clock.ts";

interface LateEndOptions {
  readonly clock: Clock;
  /** How long the client may go on with its upload, in milliseconds. */
  readonly closeTimeoutMs: number;
}

/** The response is written whole. The rest of the request is read and dropped; then, or after `closeTimeoutMs`, the response ends. */
export function endBehindRequest(
  request: IncomingMessage,
  response: ServerResponse,
  { clock, closeTimeoutMs }: LateEndOptions,
): void {
  const end = (): void => void response.end();
  const timer = clock.setTimer(end, closeTimeoutMs);
  response.once("close", () => clock.clearTimer(timer));
  request.once("end", end);
  // The stream flows again only a tick after its last listener of "readable" has gone.
  process.nextTick(() => request.resume());
}
