// The seam of the client: one way to a session's server (PROTOCOL.md, "Carriers"), and who hears of it.

import type { OpenRecord, ServerRecord } from "../codec/session-record.ts";
import type { CarrierEnd } from "./carrier-end.ts";
import type { ClientSession } from "./client-session.ts";
import type { Endpoint, Query } from "./endpoint.ts";
import type { After } from "./environment.ts";

/** What carries a connection, best first. */
export type CarrierKind = "websocket" | "stream" | "poll";

/** What a carrier stands on and whom it tells. Nothing is called before the carrier was returned to who started it. */
export interface Link {
  readonly endpoint: Endpoint;
  readonly now: () => number;
  readonly after: After;
  /** How long to wait before attempt 1, 2, 3, … */
  readonly delay: (attempt: number) => number;
  /** The query that takes the session up; a new attempt each time. */
  readonly resumption: () => Query;
  /** A request that asks for the session goes out. */
  onStart(): void;
  /** Bytes came down. */
  onAlive(): void;
  onRecord(record: ServerRecord): void;
  /** Whoever listens takes no notice of what follows. */
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
   * the server has closed the session, and takes no more messages from a WebSocket.
   */
  finish(isClosed: boolean): void;
  /** Ends now. */
  end(): void;
}
