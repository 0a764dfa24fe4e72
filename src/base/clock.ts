// The source of time: nothing above asks the platform for it, so tests run in virtual time.

/** A pending timer. Its type depends on the clock. */
export type Timer = unknown;

/** A source of time. The system's is the default everywhere; `VirtualClock` of `unichannel/testing` is one for tests. */
export interface Clock {
  /**
   * Returns milliseconds for measuring. They never go back or jump, even if the system's date is changed. The system's clock
   * counts them from the Unix epoch, by the date at which the process started.
   */
  now(): number;
  /** Returns the date, in milliseconds since the Unix epoch. @default `now` */
  date?(): number;
  /** Calls `fn` once after `delayMs`, which may be Infinity. The timer does not keep the process alive. */
  setTimer(fn: () => void, delayMs: number): Timer;
  /** Cancels a timer. Does nothing for one that has fired or was cancelled. */
  clearTimer(timer: Timer): void;
}

/** The date by `clock`, in milliseconds since the Unix epoch. */
export function dateOf(clock: Clock): number {
  return clock.date?.() ?? clock.now();
}

/** Longest delay of `setTimeout`: 24 days. It treats a longer one, and Infinity, as 1 ms. */
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
