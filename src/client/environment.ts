// What the client has of the platform: time, chance, requests, WebSockets, and what the page learns of the network.
// All of it comes in through this door, so that tests run in virtual time; everything here exists in browsers and Node.

import type { Clock } from "../base/clock.ts";

/** What a page is told: the network is there or not, or the page may have slept. */
export type PageEvent = "online" | "offline" | "awake";

export interface Environment {
  /** `now` may count from any moment, but must be monotonic: it measures silence. */
  readonly clock: Clock;
  /** From 0 to 1, without 1. */
  random(): number;
  /** Calls `fn` at each event of the page; returns what ends that. Nothing happens where there is no page. */
  watch(fn: (event: PageEvent) => void): () => void;
}

/** Platforms take a longer time for none: 2^31 ms fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls `fn` once, after `delayMs`. Returns the function that cancels the call. */
export type After = (delayMs: number, fn: () => void) => () => void;

/** Time as the connection and its carriers use it. */
export interface Time {
  now(): number;
  readonly after: After;
  /** The delay before attempt 1, 2, 3, … in milliseconds. */
  readonly delay: (attempt: number) => number;
}

/** Timers of `clock`, for times of any length. */
export function timersOf(clock: Clock): After {
  return (delayMs, fn) => {
    const timer = clock.setTimer(fn, Math.min(delayMs, MAX_TIMER_MS));
    return () => clock.clearTimer(timer);
  };
}

/** A worker has the first two, Node has none. A frozen page has no timers until `resume` (WICG Page Lifecycle). */
const EVENTS = ["online", "offline", "pageshow", "visibilitychange", "resume"];

export const platform: Environment = {
  /** Timers here keep a process alive: who waits to be connected again is not done. */
  clock: {
    now: () => performance.now(),
    setTimer: (fn, delayMs) => setTimeout(fn, delayMs),
    clearTimer: (timer) => clearTimeout(timer as number),
  },
  random: () => Math.random(),
  watch(fn) {
    const end = new AbortController();
    // With `capture` the document's own, which need not bubble, come by here too.
    const options = { capture: true, signal: end.signal };
    const listener = ({ type }: Event): void => fn(type === "online" || type === "offline" ? type : "awake");
    for (const type of EVENTS) globalThis.addEventListener?.(type, listener, options);
    return () => end.abort();
  },
};
