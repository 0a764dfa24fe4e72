// The memory of all histories of a store. It links their entries in the order in which they were kept, so that the oldest entry
// of all groups is dropped first. Each entry knows its neighbours and is removed in one step.

import type { GroupEntry } from "./message.ts";

/** The log of a group, as far as the budget uses it. */
export interface HistoryOwner {
  /** Drops its first entry, which is the oldest of all. */
  dropOldest(): void;
}

/**
 * A group with a history takes some 900 bytes beside its entries (Node 20.20). The budget has room for as many groups; without
 * that limit, a client that chooses the names of groups could fill the memory with short messages.
 */
const BYTES_PER_GROUP = 1024;
/** A small budget limits the messages, not the number of groups. */
const MIN_GROUPS = 1000;

/** An entry in the list of all kept entries. */
export interface KeptEntry {
  readonly entry: GroupEntry;
  readonly owner: HistoryOwner;
  older: KeptEntry | undefined;
  newer: KeptEntry | undefined;
}

export class HistoryBudget {
  readonly #maxBytes: number;
  readonly #maxGroups: number;
  /** Memory of all entries, in bytes. */
  bytes = 0;
  /** Number of logs that have an entry. */
  #groups = 0;
  #oldest: KeptEntry | undefined;
  #newest: KeptEntry | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxGroups = Math.max(MIN_GROUPS, maxBytes / BYTES_PER_GROUP);
  }

  add(entry: GroupEntry, owner: HistoryOwner): KeptEntry {
    const kept: KeptEntry = { entry, owner, older: this.#newest, newer: undefined };
    if (this.#newest === undefined) this.#oldest = kept;
    else this.#newest.newer = kept;
    this.#newest = kept;
    this.bytes += entry.bytes;
    return kept;
  }

  /** Called once for each entry that was added. */
  remove(kept: KeptEntry): void {
    const { older, newer } = kept;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    // Links between removed entries would keep them from being collected.
    kept.older = undefined;
    kept.newer = undefined;
    this.bytes -= kept.entry.bytes;
  }

  /** Called when a log has its first entry. */
  groupBegins(): void {
    this.#groups += 1;
  }

  /** Called when a log has lost its last entry. */
  groupEnds(): void {
    this.#groups -= 1;
  }

  /** Drops the oldest entries until the rest is within the limits. */
  shrink(): void {
    while (this.#oldest !== undefined && (this.bytes > this.#maxBytes || this.#groups > this.#maxGroups)) {
      this.#oldest.owner.dropOldest();
    }
  }
}
