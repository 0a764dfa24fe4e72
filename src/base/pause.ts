import type { Clock } from "./clock.ts";

/** Resolves after `ms` milliseconds. A pause that something may end early needs a timer of its own. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(resolve, ms));
}
