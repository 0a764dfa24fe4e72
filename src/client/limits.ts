// The numbers of the client: how much it holds, and how long it waits (PROTOCOL.md, "Writing a client"). They stand in a
// file without imports, because a bundler puts such constants where they are used, which makes the client smaller.

/** At so many unacknowledged bytes `send` answers false. */
export const MAX_BUFFERED_BYTES = 1_048_576;
/**
 * How long what was sent before `close` is carried out without a carrier, and how long a connection that is closed waits
 * in all for a server that is behind.
 */
export const LINGER_MS = 10_000;
/** A carrier that lived shorter did not work, and the next one waits; a session that did is forgotten at once. */
export const STABLE_MS = 5000;

/** Silence of a candidate after which the next kind of carrier is tried. */
export const OPEN_MS = 2500;
/** How long the last kind may take: the network may be slow. */
export const ATTEMPT_MS = 10_000;
/** How long the application's own `params` and `headers` may take. */
export const GIVEN_MS = 60_000;
/** Time on a less preferred carrier before a better one is tried, doubled each time. */
export const UPGRADE_MS = 30_000;
export const MAX_UPGRADE_MS = 1_920_000;
/** Consecutive failures tolerated before the next kind of carrier is tried. None before the first `open`. */
export const TOLERATED_FAILURES = 2;
/** Consecutive failures after which attempts begin with the best kind again: the network may be another. */
export const MANY_FAILURES = 4;
/** A server may say less, but gets no more beats. */
export const MIN_BEAT_MS = 10;
/** A WebSocket does not tell that a part of a message has come: each silence doubles the patience, up to 64 beats. */
export const MAX_SILENCES = 6;
/** Repetitions after which the patience does not grow any more: 64 times the first one. */
export const MAX_REPETITIONS = 6;

/**
 * At most so many bytes, or one message, are sent on a WebSocket and not acknowledged: an acknowledgement is never behind
 * more than that, and the server need not hold more of a client to which it does not listen.
 */
export const WINDOW_BYTES = 262_144;
/** So many beats in a row without progress are borne, and the time of what is on its way. */
export const STUCK_BEATS = 2;
/** Bytes per millisecond: what is sent is given time by its length, at this speed. */
export const SLOWEST = 16;

/** A POST takes more than one record up to this size. */
export const POST_BYTES = 65_536;
/** So many POSTs in a row may fail before the carrier is given up; the session then takes another. */
export const POST_FAILURES = 3;
/** From so many on, pauses for a receiver that is behind do not grow. */
export const MAX_WAITS = 3;
/** A poll that ends sooner than this and brings nothing is none: a server parks polls. */
export const IDLE_MS = 250;
/** So many of those in a row are borne. */
export const IDLE_POLLS = 4;
