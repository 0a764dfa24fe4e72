// The recent messages of one group, in order, from a position on without a gap: what joins and polls are answered from.

import type { HistoryLimits } from "./backplane.ts";
import type { GroupEntry } from "./group-message.ts";

/** Dropped entries are cut off the array when there are so many. */
const SLACK = 64;

export class GroupLog {
  readonly #compareIds: (a: string, b: string) => number;
  readonly #limits: HistoryLimits;
  /** The entries are those from #head on. */
  #entries: GroupEntry[] = [];
  #head = 0;
  /** All after this is here. Undefined: all since the stream's beginning. */
  #base: string | undefined;
  #last: string | undefined;
  /** What comes next does not follow what was here. */
  #isBroken = false;
  /** How often that was so. */
  breaks = 0;

  constructor(base: string | undefined, limits: HistoryLimits, compareIds: (a: string, b: string) => number) {
    this.#base = base;
    this.#last = base;
    this.#limits = limits;
    this.#compareIds = compareIds;
  }

  /** The id at which the log ends; undefined where nothing was ever published. */
  get last(): string | undefined {
    return this.#last;
  }

  get isEmpty(): boolean {
    return this.#head === this.#entries.length;
  }

  /** All that is here. */
  get entries(): readonly GroupEntry[] {
    return this.#entries.slice(this.#head);
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
    this.#entries.push(entry);
    if (this.#entries.length - this.#head > this.#limits.size) this.#drop();
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
    this.#entries = [];
    this.#head = 0;
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
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compareIds(this.#entries[middle]!.id, since) > 0) high = middle;
      else low = middle + 1;
    }
    return this.#entries.slice(low);
  }

  /** Drops what is too old. */
  expire(nowMs: number): void {
    while (!this.isEmpty && nowMs - this.#entries[this.#head]!.atMs >= this.#limits.ttlMs) this.#drop();
  }

  #drop(): void {
    this.#base = this.#entries[this.#head]!.id;
    this.#head += 1;
    if (this.isEmpty) this.#entries = [];
    else if (this.#head > SLACK && this.#head * 2 > this.#entries.length) this.#entries.splice(0, this.#head);
    else return;
    this.#head = 0;
  }
}
