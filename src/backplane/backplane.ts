// The contract of a backplane: it carries the messages of groups between processes and keeps them for clients that come back.
// This is the seam below the store. `test/contract/backplane.ts` is its test suite, also for a backplane of your own.
//
// Each group has one ordered stream. Every process, the publisher too, receives a message by reading the stream, so all
// processes see the same order. Payloads are bytes that only the store understands.

/** Limits on the entries that a backplane keeps of a group's stream. */
export interface HistoryLimits {
  /** Number of entries. A backplane may keep somewhat more. */
  readonly size: number;
  /** The age in milliseconds after which an entry is dropped. */
  readonly ttlMs: number;
}

/** The key of an entry whose group keeps the last value of each key. */
export interface BackplaneKey {
  /** Any text. */
  readonly key: string;
  /** True if the key has no value any more. */
  readonly isRemoved: boolean;
  /** Number of keys of the group that have a value. A backplane may keep fewer for a while; those with the oldest values go first. */
  readonly maxKeys: number;
  /** Time in milliseconds after the last message with a key for which a backplane keeps the values, at least. */
  readonly ttlMs: number;
}

/** A message in a group's stream. */
export interface BackplaneEntry {
  /** Opaque outside the backplane. Valid in every process, and ordered within a group by `compareIds`. */
  readonly id: string;
  /** The bytes that were published. */
  readonly payload: Uint8Array;
}

/** Receives a group's stream: called in the order of the stream, one call at a time. Must not throw. */
export interface BackplaneListener {
  /** An entry was appended. */
  entry(entry: BackplaneEntry): void;
  /** Entries were lost before they were delivered here: trimmed, or lost with the broker, while it could not be read. */
  gap(): void;
}

/**
 * Entries after an id, oldest first. `reset` is true if some entries after that id are lost, or if the id is unknown; the
 * entries are then all that are kept.
 */
export interface BackplaneHistory {
  /** The entries, oldest first. */
  readonly entries: readonly BackplaneEntry[];
  /** True if entries after the id are missing, or the id is unknown. */
  readonly reset: boolean;
}

/** A member that is present in a group, in any process. */
export interface BackplaneMember {
  /** Unique among all processes. */
  readonly key: string;
  /** The payload that `enter` was given. */
  readonly payload: Uint8Array;
}

/** Some of the records of a backplane. */
export interface BackplaneRecords {
  /** The records and their values. */
  readonly records: readonly { readonly name: string; readonly value: Uint8Array }[];
  /** The argument of the next call; undefined after the last records. */
  readonly next: string | undefined;
}

/** Carries messages between processes: one ordered stream for each group, its history, and who is present. */
export interface Backplane {
  /**
   * Appends to the group's stream: the entries of one process in the order of its calls, also of calls that do not wait for one
   * another. A group is any text. Resolves to the entry's id once the broker has it. Rejects with BACKPLANE_UNAVAILABLE if it is
   * not known whether the broker has it, and when it is closed. Settles in bounded time.
   */
  publish(group: string, payload: Uint8Array, keep: HistoryLimits): Promise<string>;

  /**
   * Optional, like `latest`: a store needs both for `history.latest`. Appends like `publish`, and makes the entry the value of its
   * key, or removes that. Until it resolves, `latest` may have the earlier value; of two entries the one with the later id stays.
   */
  publishLatest?(group: string, payload: Uint8Array, keep: HistoryLimits, key: BackplaneKey): Promise<string>;
  /** Optional. Resolves to the value of each key that has one, in any order. Rejects with BACKPLANE_UNAVAILABLE. */
  latest?(group: string): Promise<readonly BackplaneEntry[]>;

  /**
   * Delivers every entry after the returned id, and none before it; `undefined` means from the beginning of the stream. After a
   * broken connection delivery goes on where it stopped. A group has at most one subscription at a time.
   */
  subscribe(group: string, listener: BackplaneListener): Promise<string | undefined>;

  /** Ends the subscription. Nothing is delivered after the call, even before the promise resolves. */
  unsubscribe(group: string): Promise<void>;

  /**
   * Resolves to the entries after `since`; without `since`, to all that are kept. An id of a group that has no entries is unknown.
   * Rejects with BACKPLANE_UNAVAILABLE.
   */
  history(group: string, since?: string): Promise<BackplaneHistory>;

  /**
   * Returns a negative number, zero or a positive number if `a` is before, equal to or after `b`. Both are ids of this
   * backplane.
   */
  compareIds(a: string, b: string): number;

  /** Returns whether a text from a client can be an id of this backplane. */
  isId(text: string): boolean;

  /**
   * Makes a member of this process known to all processes until it leaves or the process dies. Replaces a member with its key.
   * `from`: the result of `release` in another process, in which the member was before; it is not listed by that one any more.
   */
  enter(group: string, member: BackplaneMember, from?: string): Promise<void>;
  /** Removes a member that `enter` has added. Does nothing for an unknown key. */
  leave(group: string, key: string): Promise<void>;
  /**
   * Optional. The member goes on in another process: it is not removed when this backplane is closed, and stays listed until
   * another process enters it again with the returned text, or as long as the members of a process that has died. Without this
   * method such a member is seen to leave and to come back.
   */
  release?(group: string, key: string): string | undefined;
  /** Resolves to the members that are present in all living processes. */
  present(group: string): Promise<readonly BackplaneMember[]>;

  /**
   * Optional, like the next two methods: a store needs all three for `onGroupStart` and `onGroupEnd`. Resolves to the value of a
   * record, undefined if there is none. Records belong to the service, not to a process; nothing but `swapRecord` removes them.
   */
  readRecord?(name: string): Promise<Uint8Array | undefined>;
  /**
   * Optional. Writes a record (`next` undefined: deletes it) if its value is `expected` (undefined: there is none), in one step for
   * all processes. Resolves to false if the value is another one. Rejects with BACKPLANE_UNAVAILABLE if it is not known whether
   * it was written.
   */
  swapRecord?(name: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean>;
  /**
   * Optional. Resolves to some of the records, and a text for the next call; `next` undefined: these were the last. Every record
   * that exists from the first call to the last is among them, some perhaps twice.
   */
  listRecords?(from?: string): Promise<BackplaneRecords>;

  /** Ends everything that the backplane started. A client that was passed in stays open: it belongs to the caller. */
  close(): Promise<void>;
}
