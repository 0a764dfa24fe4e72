// The memory that all histories of a store may take together: their entries in the order in which they were kept, so that
// the oldest of all go first, whichever group has them. Each entry knows its neighbours, and leaves in one step.

import type { GroupEntry } from "./message.ts";

/** The log of a group. */
export interface EntryKeeper {
  /** Lets go of its first entry, which is the oldest of all. */
  forgetFirst(): void;
}

/**
 * A group with a history takes memory beside its entries: some 900 bytes (Node 20.20). So many are paid for by the budget;
 * with more of them, a client that chooses names for groups could fill the memory with short messages.
 */
const BYTES_PER_GROUP = 1024;
/** Small budgets are for few messages, not for few groups. */
const MIN_GROUPS = 1000;

/** An entry's place among those that are kept. */
export interface Kept {
  readonly entry: GroupEntry;
  readonly keeper: EntryKeeper;
  older: Kept | undefined;
  newer: Kept | undefined;
}

export class HistoryBudget {
  readonly #maxBytes: number;
  readonly #maxGroups: number;
  #bytes = 0;
  /** Logs that have an entry. */
  #groups = 0;
  #oldest: Kept | undefined;
  #newest: Kept | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxGroups = Math.max(MIN_GROUPS, maxBytes / BYTES_PER_GROUP);
  }

  /** What all entries take. */
  get bytes(): number {
    return this.#bytes;
  }

  add(entry: GroupEntry, keeper: EntryKeeper): Kept {
    const kept: Kept = { entry, keeper, older: this.#newest, newer: undefined };
    if (this.#newest === undefined) this.#oldest = kept;
    else this.#newest.newer = kept;
    this.#newest = kept;
    this.#bytes += entry.bytes;
    return kept;
  }

  /** Once for each that was added. */
  remove(kept: Kept): void {
    const { older, newer } = kept;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    // A chain of those that are gone would keep each other from being collected.
    kept.older = undefined;
    kept.newer = undefined;
    this.#bytes -= kept.entry.bytes;
  }

  /** A log has its first entry. */
  groupBegins(): void {
    this.#groups += 1;
  }

  /** A log has no entry any more. */
  groupEnds(): void {
    this.#groups -= 1;
  }

  /** Drops the oldest until the rest is within the limits. */
  shrink(): void {
    while (this.#oldest !== undefined && (this.#bytes > this.#maxBytes || this.#groups > this.#maxGroups)) {
      this.#oldest.keeper.forgetFirst();
    }
  }
}
