// The part of a server that all WebSockets of its host share.

import type { Clock } from "../../base/clock.ts";
import type { BufferBudget } from "../../transport/io/buffer-budget.ts";
import type { Flusher } from "../../transport/io/flusher.ts";

export interface HostWebSocketContext {
  readonly clock: Clock;
  readonly flusher: Flusher;
  /** Unsent bytes of all clients. */
  readonly buffered: BufferBudget;
  /** Received bytes of all clients that were not delivered. */
  readonly received: BufferBudget;
  readonly limits: {
    readonly writeTimeoutMs: number;
    readonly maxBufferedBytes: number;
  };
  /** Maximum of the bytes that wait for a slow listener, on a host that cannot stop reading. */
  readonly maxUnreadBytes: number;
}
