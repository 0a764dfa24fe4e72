// A limit of events in a second, which counts from the first of them.

export class RateLimit {
  readonly #most: number;
  #count = 0;
  #since = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Counts one more. True if there were more than the limit. */
  isExceeded(now: number): boolean {
    if (Math.abs(now - this.#since) >= 1000) {
      this.#count = 0;
      this.#since = now;
    }
    this.#count += 1;
    return this.#count > this.#most;
  }
}
