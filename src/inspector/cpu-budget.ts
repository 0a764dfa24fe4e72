// The CPU time that looking may take: a part of the time, and some of it at once, so that a click is answered at once. Work that has
// spent more makes the pause until the next work longer.

/** The part of the time. */
const SHARE = 0.02;
/** The most that may be spent at once, in milliseconds. */
const MOST_MS = 100;
/** The longest wait: work that is always too long is done this often, in milliseconds. */
export const MAX_WAIT_MS = 10_000;

export class CpuBudget {
  readonly #now: () => number;
  #leftMs = MOST_MS;
  #filledAt: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#filledAt = now();
  }

  /** Runs work whose CPU time counts. */
  run(work: () => void): void {
    const before = process.cpuUsage();
    try {
      work();
    } finally {
      const { user, system } = process.cpuUsage(before);
      this.#leftMs = Math.max(this.#leftMs - (user + system) / 1000, -MAX_WAIT_MS * SHARE);
    }
  }

  /** The time until there is something to spend, in milliseconds; 0 if there is. */
  get waitMs(): number {
    const now = this.#now();
    this.#leftMs = Math.min(MOST_MS, this.#leftMs + Math.max(0, now - this.#filledAt) * SHARE);
    this.#filledAt = now;
    return this.#leftMs > 0 ? 0 : Math.max(1, -this.#leftMs / SHARE);
  }
}
