// A clock that the test advances.

import type { Clock, Timer } from "../base/clock.ts";
import { badValue, checkFinite, checkFunction } from "../base/option-values.ts";

interface Alarm {
  readonly at: number;
  readonly fn: () => void;
}

/** A clock that stands still until `advance` moves it. */
export class VirtualClock implements Clock {
  #now: number;
  readonly #alarms = new Set<Alarm>();

  /** `startMs` in milliseconds since the Unix epoch. @default 2024-01-01 */
  constructor(startMs: number = Date.UTC(2024, 0, 1)) {
    if (!Number.isFinite(startMs)) throw badValue("the start of a VirtualClock", startMs, "a date in milliseconds");
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  setTimer(fn: () => void, delayMs: number): Timer {
    checkFunction("the function of a timer", fn);
    const alarm = { at: this.#now + delayMs, fn };
    this.#alarms.add(alarm);
    return alarm;
  }

  clearTimer(timer: Timer): void {
    this.#alarms.delete(timer as Alarm);
  }

  /** Timers that have not fired and were not cleared. */
  get pending(): number {
    return this.#alarms.size;
  }

  /** The time of the next timer; undefined if there is none. */
  get nextAt(): number | undefined {
    return this.#next(Number.POSITIVE_INFINITY)?.at;
  }

  /** Advances the time; timers fire in order, also those set meanwhile. Promises that they start are settled afterwards. */
  advance(ms: number): void {
    checkFinite("the time of advance", ms);
    const end = this.#now + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#alarms.delete(next);
      this.#now = next.at;
      next.fn();
    }
    this.#now = end;
  }

  #next(end: number): Alarm | undefined {
    let first: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.at <= end && (first === undefined || alarm.at < first.at)) first = alarm;
    }
    return first;
  }
}
