// The entries of a history that replays and polls have encoded in this turn of the event loop. All members that catch up in
// the same turn share the encoded forms. They are dropped at its end, because no limit of the history counts them.

import type { GroupEntry } from "./message.ts";

export class EncodedEntries {
  #lists: (readonly GroupEntry[])[] = [];

  /** Drops the encoded forms of the entries at the end of the turn. */
  add(entries: readonly GroupEntry[]): void {
    if (entries.length === 0) return;
    if (this.#lists.length === 0) setImmediate(() => this.#release());
    this.#lists.push(entries);
  }

  #release(): void {
    const lists = this.#lists;
    this.#lists = [];
    for (const entries of lists) for (const entry of entries) entry.release();
  }
}
