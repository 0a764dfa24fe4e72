// The recent messages of one group, in order and without a gap after a known position. Joins and polls are answered from it.

import type { HistoryLimits } from "../backplane/backplane.ts";
import type { StoreHistoryLimits } from "./channel-store.ts";
import type { HistoryBudget, HistoryOwner, KeptEntry } from "./history-budget.ts";
import type { GroupEntry } from "./message.ts";

export type LogLimits = Pick<StoreHistoryLimits, "size" | "ttlMs" | "maxBytes">;

/** Number of dropped entries at which they are cut off the array. */
const SLACK = 64;

export class GroupLog implements HistoryOwner {
  readonly #compareIds: (a: string, b: string) => number;
  #limits: LogLimits;
  /** The budget that all logs of the store share. */
  readonly #budget: HistoryBudget;
  /** Called when the budget has dropped the last entry. */
  readonly #onEmpty: (() => void) | undefined;
  /** The entries are those from index #head on. */
  #kept: KeptEntry[] = [];
  #head = 0;
  #bytes = 0;
  /** Every entry after this id is here; undefined: every entry since the beginning of the stream. */
  #base: string | undefined;
  /** The id at which the log ends; undefined if nothing was ever published. */
  last: string | undefined;
  /** True if the next entry does not follow the last one. */
  #isInterrupted = false;
  /** Number of such interruptions. */
  interruptions = 0;

  constructor(
    base: string | undefined,
    limits: LogLimits,
    budget: HistoryBudget,
    compareIds: (a: string, b: string) => number,
    onEmpty?: () => void,
  ) {
    this.#base = base;
    this.last = base;
    this.#limits = limits;
    this.#budget = budget;
    this.#compareIds = compareIds;
    this.#onEmpty = onEmpty;
  }

  /** Keeps at least as much from now on. The limit on bytes stays. */
  keepAtLeast({ size, ttlMs }: HistoryLimits): void {
    const limits = this.#limits;
    if (size <= limits.size && ttlMs <= limits.ttlMs) return;
    this.#limits = { ...limits, size: Math.max(size, limits.size), ttlMs: Math.max(ttlMs, limits.ttlMs) };
  }

  get isEmpty(): boolean {
    return this.#head === this.#kept.length;
  }

  get entries(): readonly GroupEntry[] {
    return this.#from(this.#head);
  }

  /** Returns true for an entry that was here before: a backplane may repeat entries after a reconnection. */
  has(id: string): boolean {
    return this.last !== undefined && (id === this.last || this.#compareIds(id, this.last) <= 0);
  }

  append(entry: GroupEntry): void {
    // After an interruption an entry may be missing before this one, so it only marks the position after which all are known.
    if (this.#isInterrupted) {
      this.skip(entry.id);
      return;
    }
    this.last = entry.id;
    if (this.isEmpty) this.#budget.groupBegins();
    this.#kept.push(this.#budget.add(entry, this));
    this.#bytes += entry.bytes;
    const { size, maxBytes } = this.#limits;
    while (this.#kept.length - this.#head > size || this.#bytes > maxBytes) this.#dropFirst();
    this.#budget.shrink();
  }

  /** Records the id of an entry that is not kept. */
  skip(id: string): void {
    this.last = id;
    if (!this.#isInterrupted) return;
    this.#isInterrupted = false;
    this.#base = id;
  }

  /** Records that entries after the last one are missing. */
  interrupt(): void {
    this.#isInterrupted = true;
    this.interruptions += 1;
    this.clear();
  }

  /** Drops all entries: the log ends here, or goes on from another position. */
  clear(): void {
    if (!this.isEmpty) this.#budget.groupEnds();
    for (let i = this.#head; i < this.#kept.length; i++) this.#budget.remove(this.#kept[i]!);
    this.#kept = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  /**
   * Goes on after the interruption with this number: `position` was then the end of the stream (undefined: it was empty), and all
   * entries after it will arrive. Does nothing if an entry has arrived since, or another interruption.
   */
  resumeAt(interruption: number, position: string | undefined): void {
    if (!this.#isInterrupted || interruption !== this.interruptions) return;
    this.#isInterrupted = false;
    this.#base = position;
  }

  /** Returns the entries after `since` (undefined: from the beginning); undefined if the log does not reach back so far. */
  after(since: string | undefined): readonly GroupEntry[] | undefined {
    if (this.#isInterrupted) return undefined;
    if (since === undefined) return this.#base === undefined ? this.entries : undefined;
    if (this.#base !== undefined && this.#compareIds(since, this.#base) < 0) return undefined;
    let low = this.#head;
    let high = this.#kept.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compareIds(this.#kept[middle]!.entry.id, since) > 0) high = middle;
      else low = middle + 1;
    }
    return this.#from(low);
  }

  expire(nowMs: number): void {
    while (!this.isEmpty && nowMs - this.#kept[this.#head]!.entry.atMs >= this.#limits.ttlMs) this.#dropFirst();
  }

  #dropFirst(): void {
    const kept = this.#kept[this.#head]!;
    this.#base = kept.entry.id;
    this.#bytes -= kept.entry.bytes;
    this.#budget.remove(kept);
    this.#head += 1;
    if (this.isEmpty) {
      this.#budget.groupEnds();
      this.#kept = [];
    } else if (this.#head > SLACK && this.#head * 2 > this.#kept.length) this.#kept.splice(0, this.#head);
    else return;
    this.#head = 0;
  }

  dropOldest(): void {
    this.#dropFirst();
    if (this.isEmpty) this.#onEmpty?.();
  }

  #from(index: number): GroupEntry[] {
    return this.#kept.slice(index).map(({ entry }) => entry);
  }
}
