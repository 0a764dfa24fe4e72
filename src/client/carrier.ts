// The seam of the client: one way to a session's server (PROTOCOL.md, "Carriers"), and who hears of it.

import type { Clock } from "../base/clock.ts";
import type { OpenRecord, ServerRecord } from "../codec/session-record.ts";
import type { ClientSession, Kept } from "./client-session.ts";

/** What carries a connection, best first. */
export type CarrierKind = "websocket" | "stream" | "poll";

/** Why a carrier is over, as far as it is known. */
export interface CarrierEnd {
  /** Of an HTTP response that was no success. */
  readonly status?: number | undefined;
  /** What `Retry-After` asked for. */
  readonly retryAfterMs?: number;
  /** Of a WebSocket's end. */
  readonly code?: number;
  readonly reason?: string;
  /** The `try` of the request that is over; absent if a POST ended the carrier. */
  readonly attempt?: number | undefined;
  /** For people: what came instead of what was expected. */
  readonly what?: string | undefined;
  /** The server, or something before it, answered otherwise than a session does. */
  readonly isOdd?: boolean;
  /** What the application's own `headers` or `params` threw, or a server that does not keep to the protocol. */
  readonly error?: unknown;
  /** A record that the platform refuses, because of `error`. */
  readonly refused?: Kept;
}

/** Bytes per millisecond: what is sent is given time by its length, at this speed. */
export const SLOWEST = 16;

/** Never called before the carrier's constructor has returned; after its end whoever listens takes no notice. */
export interface CarrierListener {
  readonly clock: Clock;
  /** How long to wait before attempt 1, 2, 3, … */
  readonly delay: (attempt: number) => number;
  /** A request that asks for the session goes out. */
  onStart(): void;
  /** Bytes came down. */
  onAlive(): void;
  onRecord(record: ServerRecord): void;
  onEnd(end: CarrierEnd): void;
}

export interface Carrier {
  readonly kind: CarrierKind;
  /** The session is on this carrier: what is not acknowledged goes up, and what follows at each `flush`. Comes first. */
  begin(session: ClientSession, open: OpenRecord): void;
  /** There is something to send, or room for it. */
  flush(): void;
  /** Tells the other end what has come. */
  acknowledge(): void;
  /** Called each `heartbeatMs`: a sign of life. False if what was sent does not get through. */
  beat(): boolean;
  /** While true, a poll that has ended is not followed by another. */
  hold(isHeld: boolean): void;
  /**
   * Ends after all that is in the session was sent, and what has come is acknowledged; then `onEnd` is called. `isClosed`:
   * the server has closed the session and takes no more messages, so that none is sent.
   */
  finish(isClosed: boolean): void;
  /** Ends now. */
  end(): void;
}

/** The query of a request, without what the application adds. */
export type Query = Readonly<Record<string, string>>;
