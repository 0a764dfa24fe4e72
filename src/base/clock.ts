// Time comes in through the door: nothing above asks the platform for it, so tests run in virtual time.

/** A pending timer; what it is depends on the clock. */
export type Timer = unknown;

export interface Clock {
  /**
   * Milliseconds for measuring: it never goes back and never jumps, whatever happens to the system's date. On the system's
   * clock they are those since the Unix epoch, as they were when the process started.
   */
  now(): number;
  /** The present date, in milliseconds since the Unix epoch. @default `now` */
  date?(): number;
  /** Calls `fn` once after `delayMs`, which may be Infinity. The timer does not keep the process alive. */
  setTimer(fn: () => void, delayMs: number): Timer;
  clearTimer(timer: Timer): void;
}

/** Longest delay that `setTimeout` keeps: 24 days. It takes a longer one, and Infinity, for 1 ms. */
export const MAX_TIMER_MS = 2_147_483_647;

/** Read once: each access to the global and to `timeOrigin` runs getters, which took half of the time of `now`. */
const stopwatch = performance;
const startedAt = stopwatch.timeOrigin;

export const systemClock: Clock = {
  now: () => Math.floor(startedAt + stopwatch.now()),
  date: () => Date.now(),
  setTimer(fn, delayMs) {
    return setTimeout(fn, Math.min(delayMs, MAX_TIMER_MS)).unref();
  },
  clearTimer(timer) {
    clearTimeout(timer as NodeJS.Timeout);
  },
};
