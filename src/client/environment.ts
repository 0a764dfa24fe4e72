// What the client has of the platform: time, chance, requests, WebSockets, and what the page learns of the network.
// All of it comes in through this door, so that tests run in virtual time; everything here exists in browsers and Node.

import type { Clock } from "../base/clock.ts";

/** What a page is told: the network is there or not, or the page is looked at (again) after it may have slept. */
export type PageEvent = "online" | "offline" | "awake";

export interface Environment {
  readonly clock: Clock;
  /** From 0 to 1, without 1. */
  random(): number;
  /** Calls `fn` at each event of the page; returns what ends that. Nothing happens where there is no page. */
  watch(fn: (event: PageEvent) => void): () => void;
}

/** Timers here keep a process alive: who waits to be connected again is not done. */
const clock: Clock = {
  now: () => Date.now(),
  setTimer: (fn, delayMs) => setTimeout(fn, delayMs),
  clearTimer: (timer) => clearTimeout(timer as number),
};

/** By the page lifecycle of https://wicg.github.io/page-lifecycle: a frozen page has no timers until `resume`. */
const EVENTS: readonly (readonly [on: "window" | "document", type: string, event: PageEvent])[] = [
  ["window", "online", "online"],
  ["window", "offline", "offline"],
  ["window", "pageshow", "awake"],
  ["document", "visibilitychange", "awake"],
  ["document", "resume", "awake"],
];

export const platform: Environment = {
  clock,
  random: () => Math.random(),
  watch(fn) {
    const ends: (() => void)[] = [];
    for (const [on, type, event] of EVENTS) {
      // A worker has `online` and `offline`, and no document.
      const target = on === "window" ? globalThis : globalThis.document;
      if (target?.addEventListener === undefined) continue;
      const listener = (): void => {
        if (type !== "visibilitychange" || document.visibilityState === "visible") fn(event);
      };
      target.addEventListener(type, listener);
      ends.push(() => target.removeEventListener(type, listener));
    }
    return () => {
      for (const end of ends) end();
    };
  },
};
