// A deadline for something that another machine has to send. Node runs due timers before it reads sockets, so a process that
// was busy until the deadline has not read yet what arrived in time. The deadline therefore passes at a second timer, and the
// process reads between the two.

import type { Clock, Timer } from "./clock.ts";

export class Deadline {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #onLate: () => void;
  #timer: Timer;

  /** Calls `onLate` once, `delayMs` after now or after the last `restart`, unless `clear` is called before. */
  constructor(clock: Clock, delayMs: number, onLate: () => void) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#onLate = onLate;
    this.restart();
  }

  restart(): void {
    this.clear();
    const wait = (): void => {
      this.#timer = this.#clock.setTimer(this.#onLate, 1);
    };
    this.#timer = this.#clock.setTimer(wait, this.#delayMs);
  }

  clear(): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
