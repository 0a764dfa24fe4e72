// The seam between an exchange of Fetch and the server that runs it: the facts that no Fetch `Request` has.

import type { HostWebSocket } from "../native/transport.ts";

/** The server that gave a request. */
export interface ServerSide {
  /** The address of the client; undefined if the server does not tell it. */
  addressOf(request: Request): string | undefined;
  /**
   * Switches a request to a WebSocket, with these fields in the 101, and connects `transport` with it. Returns the response that
   * the server expects; undefined where it expects none. Throws BAD_HANDSHAKE where it does not switch. Missing where the server
   * has no WebSockets.
   */
  upgrade?(request: Request, fields: readonly string[], transport: HostWebSocket): Response | undefined;
}

/** A server that passes nothing but requests. */
export const UNKNOWN_SERVER: ServerSide = { addressOf: () => undefined };
