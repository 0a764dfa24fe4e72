// How long a connection waits for its client. A period counts from the first tick that finds it, so that no request pays for
// a timer: it ends up to two ticks late, and never early.

import { earnedMs } from "../limits.ts";

/** All in milliseconds. */
export interface Http1Timeouts {
  readonly headerTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
}

/** The part of a request that a connection waits for. It waits for nothing while a handler works. */
export type Awaited = "request" | "head" | "body" | "nothing";

export class Inactivity {
  readonly #timeouts: Http1Timeouts;
  /** The last tick's `awaited` and `requests`, and the first tick that found them. */
  #awaited: Awaited = "nothing";
  #requests = 0;
  #since = 0;

  constructor(timeouts: Http1Timeouts) {
    this.#timeouts = timeouts;
  }

  /**
   * Called with each tick. True if the client has taken too long. `requests`: the number of requests so far; `bodyBytes`: the
   * bytes of the body that have arrived, which extend its time.
   */
  hasExpired(now: number, awaited: Awaited, requests: number, bodyBytes: number): boolean {
    if (awaited !== this.#awaited || requests !== this.#requests) {
      this.#awaited = awaited;
      this.#requests = requests;
      this.#since = now;
      return false;
    }
    return awaited !== "nothing" && now - this.#since >= this.#timeoutMs(awaited, bodyBytes);
  }

  #timeoutMs(awaited: Exclude<Awaited, "nothing">, bodyBytes: number): number {
    const { headerTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs } = this.#timeouts;
    if (awaited === "request") return keepAliveTimeoutMs;
    return awaited === "head" ? headerTimeoutMs : requestTimeoutMs + earnedMs(bodyBytes);
  }
}
