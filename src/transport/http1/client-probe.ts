// Finds out whether the client of an exchange is gone. If it has ended its side, or is not read, only writing shows it: the
// system of a client that has left answers the first bytes with a reset, and the next write fails.

import type { Clock, Timer } from "../../base/clock.ts";

const INTERVAL_MS = 50;
/** Probes that are sent `INTERVAL_MS` apart; the others follow with the ticks. */
const FIRST_PROBES = 2;
/** A client that has ended its side is taken to be gone after this many intervals without a write. */
const SILENT_INTERVALS = 4;

/** Sends interim responses, which a client ignores (RFC 9110 §15.2: it must parse any number of them). */
export class ClientProbe {
  readonly #clock: Clock;
  readonly #send: () => boolean;
  #timer: Timer | undefined;
  #sent = 0;
  /** True once no more probes are sent. */
  isOver = false;

  /** `send` sends a probe now; it returns false if no probe is needed any more or none may be sent. */
  constructor(clock: Clock, send: () => boolean) {
    this.#clock = clock;
    this.#send = send;
    this.#probeSoon();
  }

  tick(): void {
    if (this.#sent >= FIRST_PROBES) this.#probe();
  }

  stop(): void {
    this.isOver = true;
    this.#clock.clearTimer(this.#timer);
  }

  #probeSoon(): void {
    this.#timer = this.#clock.setTimer(() => {
      this.#probe();
      if (!this.isOver && this.#sent < FIRST_PROBES) this.#probeSoon();
    }, INTERVAL_MS);
  }

  #probe(): void {
    if (this.isOver) return;
    if (this.#send()) this.#sent += 1;
    else this.isOver = true;
  }
}

/** Drops the connection of a client that has ended its side once nothing has been written to it for a while. */
export class SilenceWatch {
  readonly #clock: Clock;
  readonly #hasUnsent: () => boolean;
  readonly #abort: () => void;
  #timer: Timer | undefined;
  #hasWritten = false;
  #silentIntervals = 0;

  /** `hasUnsent` tells whether bytes wait to be sent; `abort` drops the connection. */
  constructor(clock: Clock, hasUnsent: () => boolean, abort: () => void) {
    this.#clock = clock;
    this.#hasUnsent = hasUnsent;
    this.#abort = abort;
    this.#checkLater();
  }

  wrote(): void {
    this.#hasWritten = true;
  }

  stop(): void {
    this.#clock.clearTimer(this.#timer);
  }

  #checkLater(): void {
    this.#timer = this.#clock.setTimer(() => this.#check(), INTERVAL_MS);
  }

  #check(): void {
    this.#silentIntervals = this.#hasWritten || this.#hasUnsent() ? 0 : this.#silentIntervals + 1;
    this.#hasWritten = false;
    if (this.#silentIntervals === SILENT_INTERVALS) this.#abort();
    else this.#checkLater();
  }
}
