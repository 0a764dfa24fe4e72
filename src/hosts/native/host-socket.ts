// The seam between our WebSocket transport and a WebSocket of the host, which has its own protocol engine (Bun, Deno,
// uWebSockets.js). Members that some hosts lack are optional.

/** queued: the host has taken a message, and has bytes that the system has not. dropped: the message is lost. */
export type HostSent = "sent" | "queued" | "dropped";

/** A WebSocket that the host has opened. */
export interface HostSocket {
  /** Bytes that were sent and that the system has not taken. */
  readonly bufferedAmount: number;
  /** True if the host has a drain event. Otherwise its `bufferedAmount` is polled. */
  readonly hasDrainEvent: boolean;
  /** Sends one message. */
  sendText(text: string): HostSent;
  sendBinary(bytes: Uint8Array): HostSent;
  /** Runs `send`; all its messages leave as one write. Inside, every message counts as sent. */
  cork?(send: () => void): void;
  /** Sends a ping. Missing if the host sends pings by itself. */
  ping?(data: Uint8Array): void;
  /** Begins, continues and ends a message in fragments. If it is missing, a message in parts is joined. */
  readonly fragments?: FragmentSender;
  /** Stops reading from the connection. Messages that were read before may still arrive. */
  pause?(): void;
  resume?(): void;
  /** Sends a close frame and ends the connection. `closed` follows. */
  close(code: number, reason: string): void;
  /** Drops the connection. `closed` follows. */
  terminate(): void;
}

interface FragmentSender {
  first(data: string | Uint8Array): HostSent;
  next(data: Uint8Array): HostSent;
  last(): HostSent;
}

/** How a host reports the end of a WebSocket. */
export interface HostSocketEnd {
  /** The side that ended it: the server where the host has failed the connection for a violation of the client. */
  readonly by: "server" | "client" | "network";
  readonly code: number;
  readonly reason: string;
}
