// How long the client of a session may owe an acknowledgement. PROTOCOL.md, "Liveness".

import type { Carrier } from "./carrier.ts";

/** How much longer than usual an acknowledgement may take while the carrier is not read: it may be behind what is not. */
const PAUSED_PATIENCE = 4;
/** Less than this a system takes for a client that is gone, too: only what is more shows that bytes are read. */
const MIN_PROGRESS_BYTES = 16_384;
/** Each repetition of a record doubles the patience for it, so often at most. */
const MAX_DOUBLINGS = 6;

/** What the client has, as `Session` counts it. */
interface Account {
  readonly acknowledged: number;
  readonly bufferedAmount: number;
}

export class Debt {
  /** What was acknowledged when the client was last found to owe an acknowledgement, and since when it does; 0: it does not. */
  #acknowledged = 0;
  #since = 0;
  /** Bytes that the carrier had not taken at the last beat. */
  #unsentBefore = 0;
  /** How often a carrier was dropped because `#acknowledged` stayed as it is. */
  #repetitions = 0;

  /** Another carrier has its own time, and its own bytes. */
  restart(): void {
    this.#since = 0;
    this.#unsentBefore = 0;
  }

  /** A sign of the client: whatever it owes it may still say. */
  defer(): void {
    this.#since = 0;
  }

  /** The carrier is dropped: what is owed is sent again. */
  repeat(): void {
    this.#repetitions += 1;
  }

  /**
   * A client acknowledges within seconds: one that has not for so long, and whose connection takes nothing either, does not
   * read, or is gone. A WebSocket answers pings; only one that is not read (`isPaused`) may owe for ever.
   */
  isTooLong(now: number, account: Account, carrier: Carrier, isPaused: boolean, heartbeatMs: number): boolean {
    const { acknowledged, bufferedAmount } = account;
    const { unsentBytes } = carrier;
    const hasMoved = unsentBytes < this.#unsentBefore && this.#unsentBefore >= MIN_PROGRESS_BYTES;
    this.#unsentBefore = unsentBytes;
    if (acknowledged !== this.#acknowledged) this.#repetitions = 0;
    const mayOwe = bufferedAmount > 0 && (isPaused || carrier.kind !== "websocket");
    if (mayOwe && !hasMoved && acknowledged === this.#acknowledged && this.#since > 0) {
      const factor = (isPaused ? PAUSED_PATIENCE : 1) * 2 ** Math.min(this.#repetitions, MAX_DOUBLINGS);
      return now - this.#since >= 2 * factor * heartbeatMs;
    }
    this.#acknowledged = acknowledged;
    this.#since = mayOwe ? now : 0;
    return false;
  }
}
