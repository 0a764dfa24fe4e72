// Numbers that several transports share.

/** Output beyond this is written within the turn: the system takes it while the application makes more. */
export const FLUSH_BYTES = 65_536;

/** The least rate at which a body or message may arrive, in bytes per second, beyond the time that each has anyway. */
const MIN_RATE = 1024;

/**
 * How much longer than its timeout a body or message may take of which so many bytes have come, in milliseconds: what is
 * long may take long, and what trickles in ends (Apache: `RequestReadTimeout` with `MinRate`).
 */
export function earnedMs(bytes: number): number {
  return Math.floor(bytes / MIN_RATE) * 1000;
}
