// How long a client may leave what it was sent without an acknowledgement. PROTOCOL.md, "Liveness".

/** Factor of the timeout while the carrier is not read: the acknowledgement may be behind what is not read. */
const PAUSED_FACTOR = 4;
/** The buffers of a system take less than this for a client that is gone, too: only more shows that the client reads. */
const MIN_PROGRESS_BYTES = 16_384;
/** Each repetition of a record doubles the timeout, this many times at most. */
const MAX_DOUBLINGS = 6;

/** The carrier and what was sent, as a tick finds them. */
export interface AckProgress {
  /** The number of the last record that the client has acknowledged. */
  readonly acknowledged: number;
  /** Bytes that the client has not acknowledged. */
  readonly bufferedAmount: number;
  /** Bytes that the connection has not taken. */
  readonly unsentBytes: number;
  /** True for a WebSocket: one that is read answers pings, and has no other timeout. */
  readonly answersPings: boolean;
  /** True while the carrier is not read. */
  readonly isPaused: boolean;
}

export class AckTimeout {
  /** The value of `acknowledged` at the last tick that found progress. */
  #acknowledged = 0;
  /** The tick since which there has been no progress; undefined while no acknowledgement is missing. */
  #since: number | undefined;
  /** Bytes that the carrier had not taken at the last tick. */
  #unsentBefore = 0;
  /** Number of carriers that were dropped while `#acknowledged` stayed the same. */
  #repetitions = 0;

  /** Another carrier begins: with a full timeout, and with no bytes. */
  restart(): void {
    this.#since = undefined;
    this.#unsentBefore = 0;
  }

  /** The client has given a sign of life: the timeout begins anew. */
  defer(): void {
    this.#since = undefined;
  }

  /** The carrier is dropped, and what it carried will be sent again. */
  repeat(): void {
    this.#repetitions += 1;
  }

  /**
   * Called with each tick. True if nothing has been acknowledged, and the connection has taken nothing, for twice
   * `heartbeatMs`: the client does not read, or is gone.
   */
  hasExpired(now: number, heartbeatMs: number, progress: AckProgress): boolean {
    const { acknowledged, bufferedAmount, unsentBytes, answersPings, isPaused } = progress;
    const wasTaken = unsentBytes < this.#unsentBefore && this.#unsentBefore >= MIN_PROGRESS_BYTES;
    this.#unsentBefore = unsentBytes;
    if (acknowledged !== this.#acknowledged) this.#repetitions = 0;
    const isMissing = bufferedAmount > 0 && (isPaused || !answersPings);
    if (isMissing && !wasTaken && acknowledged === this.#acknowledged && this.#since !== undefined) {
      const factor = (isPaused ? PAUSED_FACTOR : 1) * 2 ** Math.min(this.#repetitions, MAX_DOUBLINGS);
      return now - this.#since >= 2 * factor * heartbeatMs;
    }
    this.#acknowledged = acknowledged;
    this.#since = isMissing ? now : undefined;
    return false;
  }
}
