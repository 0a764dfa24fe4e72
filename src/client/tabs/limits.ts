// The numbers of a connection that tabs share. A file without imports, as `../limits.ts`.

/** Time between two questions of the followers whether the leader lives. */
export const PING_MS = 1500;
/** Consecutive questions without an answer after which a follower takes the lock from the leader. */
export const MAX_MISSES = 2;
/** The longest time that a new leader waits for the other tabs to say what they have. */
export const GATHER_MS = 1000;
/** The time that a tab may take to confirm; the leader then goes on without it. */
export const CONFIRM_MS = 3000;
/** Received records of which the other tabs are asked at the latest whether they have them, … */
export const CONFIRM_RECORDS = 8;
/** … or after this time. */
export const CONFIRM_DELAY_MS = 200;
/** Memory of the received records that are kept for tabs that come back. */
export const LOG_BYTES = 524_288;
/** Most tabs whose numbers are remembered, those that are gone included. Beyond it tabs that are not there are forgotten. */
export const MAX_TABS = 256;
/** Time without a note of the leader after which other tabs may have led that this one has not heard of. */
export const CURRENT_MS = 3000;
/**
 * Terms that are left out by a leader that may have missed others: it was frozen or away, or has just been opened. The server refuses
 * attempts with lower numbers than those that it has seen.
 */
export const MISSED_TERMS = 1000;
/** Earlier sessions of which a tab remembers how much it has received. */
export const MAX_SESSIONS = 8;
/** Attempts of one leader: those of the next one have higher numbers (PROTOCOL.md, `try`). */
export const TRIES = 67_108_864;
