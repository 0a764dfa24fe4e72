// What a session is made with, and who is told of it.

import type { DebugLog } from "../base/debug-log.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { Flusher } from "../transport/io/flusher.ts";
import type { Heartbeat } from "../transport/transport.ts";

export interface SessionSettings {
  /** How long a session lives without a carrier. */
  readonly resumeMs: number;
  /** How long a poll with nothing to say is parked; never longer than `heartbeatMs`. */
  readonly parkMs: number;
  /** After so much silence a heartbeat is sent, and after twice as much of the client's the carrier is dead. */
  readonly heartbeatMs: number;
  /** The same as the transports below have it. */
  readonly heartbeat: Heartbeat;
}

export interface SessionContext {
  readonly flusher: Flusher;
  /** What all sessions and connections hold for clients. */
  readonly budget: BufferBudget;
  /** Bytes that all clients have sent and nobody has taken. */
  readonly received: BufferBudget;
  /** Lines for NODE_DEBUG; undefined: nobody reads them. */
  readonly debug: DebugLog | undefined;
  /** The session with this token is over. */
  sessionEnded(token: string): void;
  /** A stopping server waits for so many more (1) or fewer (-1) sessions whose next poll is to fetch what was sent. */
  lingers(change: 1 | -1): void;
}
