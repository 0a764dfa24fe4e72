// The parts of the platform that the client uses for time, chance and news of the network. They are options, so that tests
// run in virtual time. Everything here exists in browsers and Node.

import type { Clock } from "../base/clock.ts";

/** News for a page: the network has come or gone, or the page may have slept. */
export type PageEvent = "online" | "offline" | "awake";

/** Time, chance and the news of a page, for tests: `platform.environment` of a test server is one. */
export interface Environment {
  /** The source of time. `now` may count from any moment, but must be monotonic: it measures silence. */
  readonly clock: Clock;
  /** Returns a number from 0 to 1, without 1. */
  random(): number;
  /** Calls `fn` at each event of the page; returns the function that ends this. Does nothing without a page. */
  watch(fn: (event: PageEvent) => void): () => void;
}

/** Longer timers fire at once, on every platform. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls `fn` once, after `delayMs`. Returns the function that cancels the call. */
export type After = (delayMs: number, fn: () => void) => () => void;

/** Time as the connection and its carriers use it. */
export interface Time {
  now(): number;
  readonly after: After;
  /** The delay before attempt 1, 2, 3, … in milliseconds. */
  readonly delay: (attempt: number) => number;
  /** Returns a number from 0 to 1, without 1. */
  readonly random: () => number;
}

/** Returns timers of `clock` that take a delay of any length. */
export function timersOf(clock: Clock): After {
  return (delayMs, fn) => {
    const timer = clock.setTimer(fn, Math.min(delayMs, MAX_TIMER_MS));
    return () => clock.clearTimer(timer);
  };
}

/** A worker has the first two, Node has none. A frozen page has no timers until `resume` (WICG Page Lifecycle). */
const EVENTS = ["online", "offline", "pageshow", "visibilitychange", "resume"];

export const platform: Environment = {
  /** These timers keep a process alive: a client that waits for its next attempt is not done. */
  clock: {
    now: () => performance.now(),
    setTimer: (fn, delayMs) => setTimeout(fn, delayMs),
    clearTimer: (timer) => clearTimeout(timer as number),
  },
  random: () => Math.random(),
  watch(fn) {
    const end = new AbortController();
    // `capture` also gets the events of the document that do not bubble.
    const options = { capture: true, signal: end.signal };
    const listener = ({ type }: Event): void => fn(type === "online" || type === "offline" ? type : "awake");
    for (const type of EVENTS) globalThis.addEventListener?.(type, listener, options);
    return () => end.abort();
  },
};
