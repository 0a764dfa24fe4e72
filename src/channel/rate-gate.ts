// Holds one channel to its rates, and to those of its client's address. With the policy "wait" the head of the inbox gets its
// turn from here: the tokens are taken when it begins to wait, so the channels of one address have their turns in order.

import type { Clock, Timer } from "../base/clock.ts";
import type { AddressRates } from "./address-rates.ts";
import type { Message } from "./channel.ts";
import { RateBuckets, type RatePolicy, type Rates, rateBytes } from "./rate-limits.ts";

/** The name of the option that sets a limit. */
export type RateLimitName =
  | "maxMessagesPerSecond"
  | "maxBytesPerSecond"
  | "maxMessagesPerSecondPerAddress"
  | "maxBytesPerSecondPerAddress";

/** The rates of a channel, its policy, and the address by which its client is counted. */
export interface RateSettings {
  readonly rates: Rates;
  readonly policy: RatePolicy;
  /** Undefined if addresses are not limited, or the client's is not known. */
  readonly address: { readonly rates: AddressRates; readonly network: string } | undefined;
}

/** A message was over a rate. */
export interface RateExceeded {
  readonly policy: RatePolicy;
  readonly limit: RateLimitName;
  /** The value of the limit. */
  readonly most: number;
}

export interface RateGateOwner {
  /** A message was over a rate. With the policy "close" the owner closes the channel. */
  rateExceeded(exceeded: RateExceeded): void;
  /** The next message may be handed over. */
  turnCame(): void;
}

/** How long messages wait for their turn when their client has left, in milliseconds: a flood must not stay in memory for hours. */
export const LINGER_MS = 10_000;

export class RateGate {
  /** Messages that were dropped, and of which the application is not told so far. */
  dropped = 0;
  readonly #settings: RateSettings;
  readonly #clock: Clock;
  readonly #owner: RateGateOwner;
  readonly #buckets: RateBuckets;
  readonly #countsBytes: boolean;
  /** Runs while the first message waits for its turn. */
  #timer: Timer | undefined;
  /** The time of that turn. */
  #turnAt = 0;
  /** True if the tokens of the first message are taken and its turn has come. */
  #hasTurn = false;
  /** Messages that wait longer are dropped. */
  #lastTurnAt = Number.POSITIVE_INFINITY;

  constructor(settings: RateSettings, clock: Clock, owner: RateGateOwner) {
    this.#settings = settings;
    this.#clock = clock;
    this.#owner = owner;
    this.#buckets = new RateBuckets(settings.rates, clock.now());
    const { bytesPerSecond } = settings.address?.rates.rates ?? settings.rates;
    this.#countsBytes = Math.min(bytesPerSecond, settings.rates.bytesPerSecond) !== Number.POSITIVE_INFINITY;
  }

  /** True if a message that has arrived is over a rate and must not wait. The owner was told. */
  refuses(message: Message): boolean {
    if (this.#settings.policy === "wait") return false;
    const now = this.#clock.now();
    const ofAddress = this.#addressBuckets(now);
    const exceeded = this.#exceeded(now, ofAddress);
    if (exceeded === undefined) {
      this.#take(message, ofAddress);
      return false;
    }
    if (exceeded.policy === "drop") this.dropped += 1;
    this.#owner.rateExceeded(exceeded);
    return true;
  }

  /** True if this message, the first that waits, may be handed over now. Otherwise `turnCame` is called when it may. */
  hasTurn(message: Message): boolean {
    if (this.#settings.policy !== "wait") return true;
    if (this.#timer !== undefined) return false;
    if (this.#hasTurn) {
      this.#hasTurn = false;
      return true;
    }
    const now = this.#clock.now();
    const ofAddress = this.#addressBuckets(now);
    const waitMs = Math.max(this.#buckets.waitMs(now), ofAddress?.waitMs(now) ?? 0);
    if (waitMs > 0) this.#owner.rateExceeded(this.#exceeded(now, ofAddress)!);
    this.#take(message, ofAddress);
    if (waitMs > 0) this.#waitForTurn(now, waitMs);
    return waitMs === 0;
  }

  /** The client has left. */
  clientLeft(): void {
    this.#lastTurnAt = this.#clock.now() + LINGER_MS;
  }

  /** True if the client has left, and the next message would wait for too long. */
  get isTooLate(): boolean {
    return this.#timer !== undefined && this.#turnAt > this.#lastTurnAt;
  }

  /** No message waits any more. */
  reset(): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#hasTurn = false;
  }

  #waitForTurn(now: number, waitMs: number): void {
    this.#turnAt = now + waitMs;
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined;
      this.#hasTurn = true;
      this.#owner.turnCame();
    }, waitMs);
  }

  #addressBuckets(now: number): RateBuckets | undefined {
    const { address } = this.#settings;
    return address?.rates.of(address.network, now);
  }

  #take(message: Message, ofAddress: RateBuckets | undefined): void {
    const bytes = this.#countsBytes ? rateBytes(message) : 1;
    this.#buckets.take(bytes);
    ofAddress?.take(bytes);
  }

  #exceeded(now: number, ofAddress: RateBuckets | undefined): RateExceeded | undefined {
    const own = this.#buckets.exceeded(now);
    const rate = own ?? ofAddress?.exceeded(now);
    if (rate === undefined) return undefined;
    const { policy, rates, address } = this.#settings;
    const { messagesPerSecond, bytesPerSecond } = own === undefined ? address!.rates.rates : rates;
    const name = rate === "messages" ? "maxMessagesPerSecond" : "maxBytesPerSecond";
    const limit = own === undefined ? (`${name}PerAddress` as const) : name;
    return { policy, limit, most: rate === "messages" ? messagesPerSecond : bytesPerSecond };
  }
}
