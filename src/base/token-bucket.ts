// A token bucket: it fills at a rate, up to a burst, and each event takes tokens out. All amounts are kept as the time in which
// the rate gives them, so that one burst, in milliseconds, is right for messages and for bytes.

/** Sums of fractions are a little off: the last message of a burst must not be refused for that. */
const ROUNDING_MS = 0.001;

export class TokenBucket {
  readonly #msPerUnit: number;
  readonly #burstMs: number;
  /** Below zero: it was taken from beyond its bottom, and fills up to zero first. */
  #leftMs: number;
  #filledAt: number;

  /** The bucket is full. `perSecond`: Infinity is no limit, 0 gives nothing, not even the first unit. */
  constructor(perSecond: number, burstMs: number, now: number) {
    // -0 is 0, too.
    this.#msPerUnit = 1000 / Math.abs(perSecond);
    this.#burstMs = burstMs;
    this.#leftMs = perSecond === 0 ? Number.NEGATIVE_INFINITY : burstMs;
    this.#filledAt = now;
  }

  /** True if nothing is missing: a new bucket would be the same. */
  isFull(now: number): boolean {
    this.#fill(now);
    return this.#leftMs >= this.#burstMs;
  }

  /** Milliseconds until a unit is there; 0 if one is. Where the bucket cannot hold a whole one, it is there when the bucket is full. */
  waitMs(now: number): number {
    this.#fill(now);
    const missing = Math.min(this.#msPerUnit, this.#burstMs) - this.#leftMs;
    return missing <= ROUNDING_MS ? 0 : missing;
  }

  /** Takes units out, whether they are there or not. */
  take(units: number): void {
    this.#leftMs -= units * this.#msPerUnit;
  }

  #fill(now: number): void {
    this.#leftMs = Math.min(this.#leftMs + (now - this.#filledAt), this.#burstMs);
    this.#filledAt = now;
  }
}
