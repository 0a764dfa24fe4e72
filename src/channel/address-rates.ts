// The rates of client addresses: all channels of one address together have a pair of buckets. An address whose buckets are full
// is not kept, so an entry costs its client a message a moment ago, or bytes that it still owes.

import { RateBuckets, type Rates } from "./rate-limits.ts";

/** Most addresses that are kept: some 20 MB. Beyond it the one that was kept first is forgotten. */
const MAX_ADDRESSES = 65_536;

export class AddressRates {
  readonly rates: Rates;
  readonly #buckets = new Map<string, RateBuckets>();

  constructor(rates: Rates) {
    this.rates = rates;
  }

  /** The number of addresses that are kept. */
  get size(): number {
    return this.#buckets.size;
  }

  /** The buckets of an address. They may be forgotten when they are full: ask for each message. */
  of(network: string, now: number): RateBuckets {
    const known = this.#buckets.get(network);
    if (known !== undefined) return known;
    if (this.#buckets.size >= MAX_ADDRESSES) this.#forgetFirst();
    const buckets = new RateBuckets(this.rates, now);
    this.#buckets.set(network, buckets);
    return buckets;
  }

  /** Forgets the addresses whose buckets are full. */
  tick(now: number): void {
    for (const [network, buckets] of this.#buckets) if (buckets.isFull(now)) this.#buckets.delete(network);
  }

  #forgetFirst(): void {
    for (const network of this.#buckets.keys()) {
      this.#buckets.delete(network);
      return;
    }
  }
}
