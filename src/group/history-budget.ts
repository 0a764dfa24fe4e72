// The memory that all histories of a store may take together: their entries in the order in which they were kept, so that
// the oldest of all go first, whichever group has them. Each entry knows its neighbours, and leaves in one step.

import type { GroupEntry } from "./message.ts";

/** The log of a group, which has the oldest entry of all as its first. */
export interface EntryKeeper {
  dropFirst(): void;
}

/** An entry's place among those that are kept. */
export interface Kept {
  readonly entry: GroupEntry;
  readonly keeper: EntryKeeper;
  older: Kept | undefined;
  newer: Kept | undefined;
}

export class HistoryBudget {
  readonly #maxBytes: number;
  #bytes = 0;
  #oldest: Kept | undefined;
  #newest: Kept | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
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

  /** Drops the oldest until the rest is within the limit. */
  shrink(): void {
    while (this.#bytes > this.#maxBytes && this.#oldest !== undefined) this.#oldest.keeper.dropFirst();
  }
}
