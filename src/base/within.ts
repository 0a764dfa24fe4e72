// Limits the time for which a promise is awaited.

import type { Clock, Timer } from "./clock.ts";

/** Resolves with `work`, or after `ms` milliseconds. Rejects if `work` does before. */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  let timer: Timer;
  const late = new Promise<void>((resolve) => {
    timer = clock.setTimer(resolve, ms);
  });
  await Promise.race([work, late]);
  clock.clearTimer(timer);
}
