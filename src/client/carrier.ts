// The seam of the client: one way to a session's server (PROTOCOL.md, "Carriers"), and who hears of it.

import type { OpenRecord, SessionRecord } from "../codec/session-record.ts";
import type { Session } from "../protocol/session.ts";

/** What carries a connection, best first. */
export type CarrierKind = "websocket" | "stream" | "poll";

/** Why a carrier is over, as far as the server said so. */
export interface CarrierEnd {
  /** Of an HTTP response that was no success. */
  readonly status?: number;
  /** What `Retry-After` asked for. */
  readonly retryAfterMs?: number;
  /** Of a WebSocket's end. */
  readonly code?: number;
  readonly reason?: string;
  /** What the application's own `headers` or `params` threw, or a server that does not keep to the protocol. */
  readonly error?: unknown;
}

/** Never called before the carrier's constructor has returned. */
export interface CarrierListener {
  /** Bytes came down. */
  onAlive(): void;
  onRecord(record: SessionRecord): void;
  /** Last. Not after `end`. */
  onEnd(end: CarrierEnd): void;
}

export interface Carrier {
  readonly kind: CarrierKind;
  /** The number of the last record that may have left. */
  readonly written: number;
  /** The session is on this carrier: what `open` says is not there yet goes up, and what follows at each `flush`. */
  begin(session: Session, open: OpenRecord): void;
  /** There is something to send. */
  flush(): void;
  /** Tells the other end what has come. */
  acknowledge(): void;
  /** A sign of life, when there was none for a while. */
  beat(): void;
  /** While true, a poll that has ended is not followed by another. */
  hold(isHeld: boolean): void;
  /** Ends after all that is in the session was sent. */
  finish(): void;
  /** Ends now. */
  end(): void;
}

/** What a carrier asks with: the token, and how many of the server's records are here. */
export interface Resumption {
  readonly token: string | undefined;
  readonly after: number;
}
