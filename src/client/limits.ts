// The numbers of the client: how much it holds, and how long it waits (PROTOCOL.md, "Writing a client"). They stand in a
// file without imports, because a bundler puts such constants where they are used, which makes the client smaller.

/** Most groups whose cursors are kept: a server takes as many. */
export const MAX_CURSORS = 512;
/** Unacknowledged bytes at which `send` returns false. */
export const MAX_BUFFERED_BYTES = 1_048_576;
/**
 * Time for messages that were sent before `close` to leave, if there was no carrier then; also the longest time that a
 * closed connection waits in all for a server that is behind.
 */
export const LINGER_MS = 10_000;
/** A carrier that lived for less did not work, and the next one waits; a session that lived for less was lost at once. */
export const STABLE_MS = 5000;

/** The shortest time between two renewals of an identity. */
export const RENEW_MS = 1000;

/** Silence of a candidate after which the next kind of carrier is tried. */
export const OPEN_MS = 2500;
/** How long the last kind may take: the network may be slow. */
export const ATTEMPT_MS = 10_000;
/** Time for the application's functions `params` and `headers`. */
export const GIVEN_MS = 60_000;
/** Time on a less preferred carrier before a better one is tried, doubled each time. */
export const UPGRADE_MS = 30_000;
export const MAX_UPGRADE_MS = 1_920_000;
/** Consecutive failures tolerated before the next kind of carrier is tried. None before the first `open`. */
export const TOLERATED_FAILURES = 2;
/** Consecutive failures after which attempts begin with the best kind again: the network may be another. */
export const MANY_FAILURES = 4;
/** The shortest interval between heartbeats, even if the server asks for less. */
export const MIN_HEARTBEAT_MS = 10;
/** A WebSocket does not show that a part of a message has arrived: each silence doubles the timeout, up to 64 heartbeats. */
export const MAX_SILENCES = 6;
/** Repetitions after which timeouts grow no more: 64 times the first one. */
export const MAX_REPETITIONS = 6;

/**
 * At most this many bytes, or one message, are sent on a WebSocket and not acknowledged: an acknowledgement is never behind
 * more bytes, and a server that does not read its messages need not hold more.
 */
export const WINDOW_BYTES = 262_144;
/** Consecutive heartbeats without progress that are tolerated, beyond the time that the sent bytes need. */
export const STUCK_HEARTBEATS = 2;
/** Bytes per millisecond: the slowest link that is expected. Timeouts grow with the bytes that are sent. */
export const SLOWEST = 16;

/** A POST takes more than one record up to this size. */
export const POST_BYTES = 65_536;
/** Consecutive POSTs that fail before the carrier is given up. */
export const POST_FAILURES = 3;
/** Number of pauses for a receiver that is behind after which they grow no more. */
export const MAX_WAITS = 3;
/** A poll that ends sooner, and without records, was not parked: its answer is not that of a server of sessions. */
export const IDLE_MS = 250;
/** Consecutive polls of that kind that are tolerated. */
export const IDLE_POLLS = 4;
