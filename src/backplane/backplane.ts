// What carries the messages of groups between processes, and remembers them for those who come back: the seam below
// the store. Memory, Redis and NATS are behind it, and whatever a user brings; `test/contract/backplane.ts` is its suite.
//
// One ordered stream per group. Everybody, the publisher too, hears a message by reading the stream, so that all
// processes see the same order. Payloads are bytes that only the store understands.

/** How much of a group's stream is kept. */
export interface HistoryLimits {
  /** Entries. A backplane may keep somewhat more. */
  readonly size: number;
  /** The age in milliseconds after which an entry is dropped. */
  readonly ttlMs: number;
}

/** A message in a group's stream. */
export interface BackplaneEntry {
  /** Opaque outside the backplane; ordered within a group by `compareIds`, valid in every process. */
  readonly id: string;
  /** The bytes that were published. */
  readonly payload: Uint8Array;
}

/** Who hears a group. Called in the order of the stream, one call at a time; must not throw. */
export interface BackplaneListener {
  /** An entry was appended. */
  entry(entry: BackplaneEntry): void;
  /** Entries are gone that were never delivered here: trimmed, or lost with the broker, while it could not be read. */
  gap(): void;
}

/**
 * Entries after some id, oldest first. `reset`: what followed the id is not all there any more, or the id is unknown; then
 * the entries are all that is kept.
 */
export interface BackplaneHistory {
  /** The entries, oldest first. */
  readonly entries: readonly BackplaneEntry[];
  /** True if entries after the id are missing, or the id is unknown. */
  readonly reset: boolean;
}

/** One who is present in a group, in some process. */
export interface BackplaneMember {
  /** Unique among all processes. */
  readonly key: string;
  /** What `enter` was given. */
  readonly payload: Uint8Array;
}

/** Carries messages between processes: one ordered stream for each group, its history, and who is present. */
export interface Backplane {
  /**
   * Appends to the group's stream. Resolves with the entry's id once the broker has it; rejects with
   * BACKPLANE_UNAVAILABLE when that is not known to be so. Never waits without bound.
   */
  publish(group: string, payload: Uint8Array, keep: HistoryLimits): Promise<string>;

  /**
   * Delivers every entry after the returned id, and none before it; an `undefined` id: from the stream's beginning.
   * A broken connection is taken up where it broke. One subscription per group at a time.
   */
  subscribe(group: string, listener: BackplaneListener): Promise<string | undefined>;

  /** Ends it: nothing is delivered after the call, even before the promise resolves. */
  unsubscribe(group: string): Promise<void>;

  /** What is kept after `since`; without it all that is kept. Rejects with BACKPLANE_UNAVAILABLE. */
  history(group: string, since?: string): Promise<BackplaneHistory>;

  /** Negative, zero or positive, as `a` is before, the same as, or after `b`. Both are ids of this backplane. */
  compareIds(a: string, b: string): number;

  /** Whether a text that somebody sent can be an id of this backplane. */
  isId(text: string): boolean;

  /** Makes a member of this process known to all, until it leaves or the process dies. The same key again replaces it. */
  enter(group: string, member: BackplaneMember): Promise<void>;
  /** Ends a presence that `enter` began. Does nothing for an unknown key. */
  leave(group: string, key: string): Promise<void>;
  /** Who is present, in all processes that are alive. */
  present(group: string): Promise<readonly BackplaneMember[]>;

  /** Ends what the backplane itself began; a client that was passed in stays the caller's. */
  close(): Promise<void>;
}
