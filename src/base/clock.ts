// Time comes in through the door: nothing above asks the platform for it, so tests run in virtual time.

/** A pending timer; what it is depends on the clock. */
export type Timer = unknown;

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Calls `fn` once after `delayMs`. The timer does not keep the process alive. */
  setTimer(fn: () => void, delayMs: number): Timer;
  clearTimer(timer: Timer): void;
}

export const systemClock: Clock = {
  now: Date.now,
  setTimer(fn, delayMs) {
    return setTimeout(fn, delayMs).unref();
  },
  clearTimer(timer) {
    clearTimeout(timer as NodeJS.Timeout);
  },
};
