// The seam of the client: one way to a session's server (PROTOCOL.md, "Carriers"), and who hears of it.

import type { NumberedRecord, OpenRecord, ServerRecord } from "../codec/session-record.ts";
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

/** Never called before the carrier's constructor has returned; after its end whoever listens takes no notice. */
export interface CarrierListener {
  /** Bytes came down. */
  onAlive(): void;
  onRecord(record: ServerRecord): void;
  onEnd(end: CarrierEnd): void;
  /** Resolves after a while that grows with the attempts. */
  wait(attempt: number): Promise<void>;
}

/** What is kept until the server has it. */
export type Kept = NumberedRecord & {
  /** What the application gave for it. */
  readonly value?: unknown;
  /** Only the server knows whether it has arrived. */
  mayHaveLeft?: boolean;
};

export interface Carrier {
  readonly kind: CarrierKind;
  /** The session is on this carrier: what is not acknowledged goes up, and what follows at each `flush`. Comes first. */
  begin(session: Session<Kept>, open: OpenRecord): void;
  /** There is something to send. */
  flush(): void;
  /** Tells the other end what has come. */
  acknowledge(): void;
  /** A sign of life, when there was none for a while. */
  beat(): void;
  /** While true, a poll that has ended is not followed by another. */
  hold(isHeld: boolean): void;
  /** Ends after all that is in the session was sent, and what has come is acknowledged. */
  finish(): void;
  /** Ends now. */
  end(): void;
}

/** The query of a request, without what the application adds. */
export type Query = Readonly<Record<string, string>>;
