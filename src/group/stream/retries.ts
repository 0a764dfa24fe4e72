// The pauses between attempts to reach a broker: exponential backoff, and one call that ends all pauses.

import type { Clock } from "../../base/clock.ts";

const FIRST_MS = 250;
const LAST_MS = 8000;

export interface Pause {
  /** Resolves when the next attempt may begin. */
  readonly over: Promise<void>;
  /** Ends the pause early. */
  end(): void;
}

export class Retries {
  readonly #clock: Clock;
  readonly #pauses = new Set<Pause>();
  isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The pause after a failed attempt; `attempt` counts from 0. */
  pause(attempt: number): Pause {
    let resolve!: () => void;
    const over = new Promise<void>((settle) => {
      resolve = settle;
    });
    const timer = this.#clock.setTimer(() => pause.end(), Math.min(LAST_MS, FIRST_MS * 2 ** attempt));
    const pause: Pause = {
      over,
      end: () => {
        this.#pauses.delete(pause);
        this.#clock.clearTimer(timer);
        resolve();
      },
    };
    this.#pauses.add(pause);
    if (this.isClosed) pause.end();
    return pause;
  }

  /** Ends all pauses, later ones too. */
  close(): void {
    this.isClosed = true;
    for (const pause of this.#pauses) pause.end();
  }
}
