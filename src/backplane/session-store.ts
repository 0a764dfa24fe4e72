// The contract of a session store: it keeps the sessions of a service while they move from one process to another, and knows
// where the processes are. `test/contract/session-store.ts` is its test suite, also for a session store of your own.
//
// A session that is at home in a process has no record here: nothing is read or written while it runs. A record begins when its
// owner stops, and has one of three states:
//
//   stored {owner, snapshot}   the owner put the session here; nobody has it
//   taken {owner, snapshot}    a process has taken it and restores it; the snapshot stays, in case that this process dies
//   claimed {owner}            the process has the session for good
//
// Each move is atomic: of two processes that ask at once, one gets the session. Times are counted by the broker's clock, or from
// the moment at which the broker executes the move: the clock of a process may be wrong by an hour.

/** Largest snapshot in bytes that every session store accepts: 16 MiB. */
export const MAX_SNAPSHOT_BYTES: number = 16 * 1024 * 1024;

/** How `SessionStore.take` takes a session. */
export interface TakeOptions {
  /** Time to live of the record in milliseconds, counted from now: the taker must have claimed the session before its end. */
  readonly ttlMs: number;
  /** A process that has taken the session and is believed dead: the session is taken from it, unless it has claimed it. */
  readonly from?: string | undefined;
}

/**
 * The answer of `SessionStore.take`.
 *
 * - `taken`: the caller has the session now, and restores it from the snapshot.
 * - `owned`: another process has the session, or the caller itself has claimed it. `isClaimed` is false while the owner has taken
 *   it and not yet claimed it: it can then be taken `from` that owner.
 * - `unknown`: the store has no record: the session never moved, is over, or its time to live has passed.
 */
export type TakeResult =
  | { readonly type: "taken"; readonly snapshot: Uint8Array }
  | { readonly type: "owned"; readonly owner: string; readonly isClaimed: boolean }
  | { readonly type: "unknown" };

/**
 * Keeps sessions while they move between the processes of a service, and the addresses of these processes.
 *
 * Tokens, process ids and addresses are any text. A process id is never used again by a later process. All methods reject with
 * BACKPLANE_UNAVAILABLE if it is not known whether the broker has executed them; they settle in bounded time. A move that was
 * rejected may be repeated by the same process: if the first attempt was executed, the second one has the same answer, unless
 * another process has moved the session meanwhile. A time to live is a number of milliseconds above 0; any other value rejects with
 * BAD_OPTION.
 */
export interface SessionStore {
  /**
   * Stores a session that `owner` has, for `ttlMs` milliseconds. Resolves to true if there was no record, or one that is `owner`'s
   * (stored, taken or claimed by it); the record is then `stored`. Resolves to false, and changes nothing, if another process has the
   * session: the caller drops its own silently. A process that has taken a session and does not want it puts it back.
   *
   * `snapshot` has at most MAX_SNAPSHOT_BYTES (16 MiB); a longer one rejects with MESSAGE_TOO_BIG. It must not be changed until the
   * promise settles. Many calls may be under way at once.
   */
  put(token: string, owner: string, snapshot: Uint8Array, ttlMs: number): Promise<boolean>;

  /**
   * Takes a session for the process `taker`. A record that is stored, taken by `taker` itself, or taken by `from`, is then taken by
   * `taker`, and the answer is `taken` with the snapshot. Any other record stays as it is, and the answer is `owned`. The snapshot
   * stays in the store until the session is claimed.
   *
   * The store does not tell two calls of one process apart: a process takes a session once at a time.
   */
  take(token: string, taker: string, options: TakeOptions): Promise<TakeResult>;

  /**
   * Claims a session that `taker` has taken: nobody can take it any more, and its snapshot is deleted. The record says for `ttlMs`
   * milliseconds where the session is; see `renew`. Resolves to true if the record is now claimed by `taker`, also if it was so
   * before. Resolves to false, and changes nothing, if it is not: somebody has taken it meanwhile, or its time to live has passed.
   * The caller must then drop the session silently.
   */
  claim(token: string, taker: string, ttlMs: number): Promise<boolean>;

  /**
   * Lets the records of claimed sessions live for another `ttlMs` milliseconds. A record that the broker has lost is written again.
   * Resolves to those of the tokens whose session another process has: the caller drops these sessions silently. Any number of
   * tokens may be given.
   */
  renew(tokens: readonly string[], owner: string, ttlMs: number): Promise<readonly string[]>;

  /** Deletes the record of a session that is over, if the record is `owner`'s. Does nothing otherwise. */
  forget(token: string, owner: string): Promise<void>;

  /** Makes the address of a living process known for `ttlMs` milliseconds. The process repeats it before they have passed. */
  announce(process: string, address: string, ttlMs: number): Promise<void>;

  /** Deletes the address of a process that stops. Does nothing for an unknown process. */
  withdraw(process: string): Promise<void>;

  /** Resolves to the address of a process; to undefined if it is not announced, or not any more. */
  locate(process: string): Promise<string | undefined>;

  /**
   * Resolves to a random text that all processes of the service share: 43 characters, 32 bytes in base64url. The first process that
   * asks makes it. Ask again with each announcement: a broker that has lost its data may give another text.
   */
  secret(): Promise<string>;

  /** Ends everything that the store started; later calls reject. A client that was passed in stays open: it is yours. */
  close(): Promise<void>;
}
