// The recent messages of one group, in order, from a position on without a gap: what joins and polls are answered from.

import type { EntryKeeper, HistoryBudget, Kept } from "./history-budget.ts";
import type { GroupEntry } from "./message.ts";

/** How much a log keeps at most: entries, their age, and their memory. */
export interface LogLimits {
  readonly size: number;
  readonly ttlMs: number;
  readonly maxBytes: number;
}

/** Dropped entries are cut off the array when there are so many. */
const SLACK = 64;

export class GroupLog implements EntryKeeper {
  readonly #compareIds: (a: string, b: string) => number;
  readonly #limits: LogLimits;
  /** The budget that all logs of the store share. */
  readonly #budget: HistoryBudget;
  /** Called when the budget has taken the last entry. */
  readonly #onEmpty: (() => void) | undefined;
  /** The entries are those from #head on. */
  #kept: Kept[] = [];
  #head = 0;
  /** What the entries take. */
  #bytes = 0;
  /** All after this is here. Undefined: all since the stream's beginning. */
  #base: string | undefined;
  #last: string | undefined;
  /** What comes next does not follow what was here. */
  #isBroken = false;
  /** How often that was so. */
  breaks = 0;

  constructor(
    base: string | undefined,
    limits: LogLimits,
    budget: HistoryBudget,
    compareIds: (a: string, b: string) => number,
    onEmpty?: () => void,
  ) {
    this.#base = base;
    this.#last = base;
    this.#limits = limits;
    this.#budget = budget;
    this.#compareIds = compareIds;
    this.#onEmpty = onEmpty;
  }

  /** The id at which the log ends; undefined where nothing was ever published. */
  get last(): string | undefined {
    return this.#last;
  }

  get isEmpty(): boolean {
    return this.#head === this.#kept.length;
  }

  /** All that is here. */
  get entries(): readonly GroupEntry[] {
    return this.#from(this.#head);
  }

  /** True for what was here before, which a backplane may deliver again when it has connected again. */
  has(id: string): boolean {
    return this.#last !== undefined && (id === this.#last || this.#compareIds(id, this.#last) <= 0);
  }

  append(entry: GroupEntry): void {
    this.#last = entry.id;
    if (this.#isBroken) {
      this.#isBroken = false;
      this.#base = entry.id;
      return;
    }
    if (this.isEmpty) this.#budget.groupBegins();
    this.#kept.push(this.#budget.add(entry, this));
    this.#bytes += entry.bytes;
    const { size, maxBytes } = this.#limits;
    while (this.#kept.length - this.#head > size || this.#bytes > maxBytes) this.dropFirst();
    this.#budget.shrink();
  }

  /** An entry that is none of ours: it has its place, and nothing in it. */
  skip(id: string): void {
    this.#last = id;
    if (!this.#isBroken) return;
    this.#isBroken = false;
    this.#base = id;
  }

  /** Something is missing behind the last entry. */
  interrupt(): void {
    this.#isBroken = true;
    this.breaks += 1;
    this.clear();
  }

  /** Lets go of all entries: the log is over, or goes on with something else. */
  clear(): void {
    if (!this.isEmpty) this.#budget.groupEnds();
    for (let i = this.#head; i < this.#kept.length; i++) this.#budget.remove(this.#kept[i]!);
    this.#kept = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  /**
   * `position` was the stream's end some time after the last of so many interruptions: if nothing has been heard since, then
   * all that comes after it will be.
   */
  mend(breaks: number, position: string): void {
    if (!this.#isBroken || breaks !== this.breaks || position === "") return;
    this.#isBroken = false;
    this.#base = position;
  }

  /** What came after `since` (an empty string: the beginning); undefined where the log does not reach so far back. */
  after(since: string): readonly GroupEntry[] | undefined {
    if (this.#isBroken) return undefined;
    if (since === "") return this.#base === undefined ? this.entries : undefined;
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

  /** Drops what is too old. */
  expire(nowMs: number): void {
    while (!this.isEmpty && nowMs - this.#kept[this.#head]!.entry.atMs >= this.#limits.ttlMs) this.dropFirst();
  }

  /** Drops the oldest. There must be one. */
  dropFirst(): void {
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

  forgetFirst(): void {
    this.dropFirst();
    if (this.isEmpty) this.#onEmpty?.();
  }

  #from(index: number): GroupEntry[] {
    return this.#kept.slice(index).map(({ entry }) => entry);
  }
}
