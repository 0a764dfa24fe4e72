// The rates at which a client may send: messages and bytes in a second, each with a token bucket.

import { utf8Length } from "../base/bytes.ts";
import { MIN_HELD_BYTES } from "../base/memory-size.ts";
import { TokenBucket } from "../base/token-bucket.ts";
import type { Message } from "./channel.ts";

/** The effect of a message that is over a rate: the channel is closed (1008), the message is dropped, or it waits. */
export type RatePolicy = "close" | "drop" | "wait";

/** The limits of one channel, or of one address. */
export interface Rates {
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  /** The time in which an empty bucket fills: the burst, as time. */
  readonly burstMs: number;
}

/** The rate that a message is over. */
export type Rate = "messages" | "bytes";

export class RateBuckets {
  /** Undefined without a limit. */
  readonly #messages: TokenBucket | undefined;
  readonly #bytes: TokenBucket | undefined;

  constructor({ messagesPerSecond, bytesPerSecond, burstMs }: Rates, now: number) {
    this.#messages = toBucket(messagesPerSecond, burstMs, now);
    this.#bytes = toBucket(bytesPerSecond, burstMs, now);
  }

  isFull(now: number): boolean {
    return this.#messages?.isFull(now) !== false && this.#bytes?.isFull(now) !== false;
  }

  /** The rate that one more message is over; undefined if it may come. A message of any length may, while a byte is left. */
  exceeded(now: number): Rate | undefined {
    if (this.#messages !== undefined && this.#messages.waitMs(now) > 0) return "messages";
    return this.#bytes !== undefined && this.#bytes.waitMs(now) > 0 ? "bytes" : undefined;
  }

  /** Milliseconds until one more message may come. */
  waitMs(now: number): number {
    return Math.max(this.#messages?.waitMs(now) ?? 0, this.#bytes?.waitMs(now) ?? 0);
  }

  take(bytes: number): void {
    this.#messages?.take(1);
    this.#bytes?.take(bytes);
  }
}

function toBucket(perSecond: number, burstMs: number, now: number): TokenBucket | undefined {
  return perSecond === Number.POSITIVE_INFINITY ? undefined : new TokenBucket(perSecond, burstMs, now);
}

export function isLimited({ messagesPerSecond, bytesPerSecond }: Rates): boolean {
  return messagesPerSecond !== Number.POSITIVE_INFINITY || bytesPerSecond !== Number.POSITIVE_INFINITY;
}

/** The bytes with which a message counts. Many empty messages cost work, too. */
export function rateBytes(message: Message): number {
  return Math.max(typeof message === "string" ? utf8Length(message) : message.length, MIN_HELD_BYTES);
}
