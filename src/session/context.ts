// The settings of a session, and the part of its server that it uses.

import type { Clock } from "../base/clock.ts";
import type { DebugLog } from "../base/debug-log.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { Flusher } from "../transport/io/flusher.ts";
import type { Heartbeat, TransportKind } from "../transport/transport.ts";

export interface SessionSettings {
  /** How long a session lives without a carrier. */
  readonly resumeMs: number;
  /** How long a poll stays parked while there is nothing to send; never longer than `heartbeatMs`. */
  readonly parkMs: number;
  /** Silence after which a heartbeat is sent; after twice as much of the client's silence its carrier is dead. */
  readonly heartbeatMs: number;
  readonly heartbeat: Heartbeat;
}

/** A carrier that a session has from now on. */
export interface AttachedCarrier {
  readonly transport: TransportKind;
  /** False for the first carrier of a session. */
  readonly isResumed: boolean;
  /** Kept records that the carrier begins with. */
  readonly replayed: number;
}

export interface SessionContext {
  readonly clock: Clock;
  readonly flusher: Flusher;
  /** Bytes that all sessions and connections hold for their clients. */
  readonly buffered: BufferBudget;
  /** Bytes that all clients have sent and the application has not taken. */
  readonly received: BufferBudget;
  /** Prints a line for NODE_DEBUG; undefined if it is off. */
  readonly debug: DebugLog | undefined;
  /** The session goes on with another carrier, for diagnostics. */
  carrierAttached(token: string, carrier: AttachedCarrier): void;
  /** The session has lost its carrier, for diagnostics. */
  carrierLost(token: string, transport: TransportKind, status: CloseStatus): void;
  sessionEnded(token: string): void;
  /** The session is in the session store, or in another process. */
  sessionLeft(token: string): void;
  /** A stopping server waits until this session is over: its next poll fetches the kept records. */
  lingeringBegan(token: string): void;
}
