// Numbers that several transports share.

/** Output beyond this is written within the turn: the system takes it while the application makes more. */
export const FLUSH_BYTES = 65_536;

/** The least rate at which a body or message may arrive, in bytes per second, beyond the time that each has anyway. */
const MIN_RATE = 1024;

/**
 * Extra time, in ms, that a body or message has earned by the bytes that arrived: 1 s per KiB (as Apache's
 * `RequestReadTimeout` with `MinRate`).
 */
export function earnedMs(bytes: number): number {
  return Math.floor(bytes / MIN_RATE) * 1000;
}
