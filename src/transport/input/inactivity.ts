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

interface Wait {
  readonly awaited: Awaited;
  readonly requests: number;
  /** Bytes of the body that have arrived, which extend its time. */
  readonly bodyBytes: number;
}

export class Inactivity {
  /** The last tick's `awaited` and `requests`, and the first tick that found them. */
  #awaited: Awaited = "nothing";
  #requests = 0;
  #since = 0;

  /** Called with each tick. True if the client has taken too long. */
  hasExpired(now: number, wait: Wait, timeouts: Http1Timeouts): boolean {
    const { awaited, requests, bodyBytes } = wait;
    if (awaited !== this.#awaited || requests !== this.#requests) {
      this.#awaited = awaited;
      this.#requests = requests;
      this.#since = now;
      return false;
    }
    return awaited !== "nothing" && now - this.#since >= timeoutMs(awaited, bodyBytes, timeouts);
  }
}

function timeoutMs(awaited: Exclude<Awaited, "nothing">, bodyBytes: number, timeouts: Http1Timeouts): number {
  if (awaited === "request") return timeouts.keepAliveTimeoutMs;
  return awaited === "head" ? timeouts.headerTimeoutMs : timeouts.requestTimeoutMs + earnedMs(bodyBytes);
}
