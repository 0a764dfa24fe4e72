// The last value of each key of one group of this process. The key with the oldest value comes first and is dropped first.

import type { StoreHistoryLimits } from "./channel-store.ts";
import type { HistoryBudget, HistoryOwner, KeptEntry } from "./history-budget.ts";
import type { GroupEntry } from "./message.ts";

export type ValueLimits = Pick<StoreHistoryLimits, "maxBytes" | "maxKeys" | "valueTtlMs">;

export class LastValues implements HistoryOwner {
  readonly #limits: ValueLimits;
  readonly #budget: HistoryBudget;
  /** Called when the budget has dropped the last value. */
  readonly #onEmpty: () => void;
  readonly #byKey = new Map<string, KeptEntry>();
  #bytes = 0;

  constructor(limits: ValueLimits, budget: HistoryBudget, onEmpty: () => void) {
    this.#limits = limits;
    this.#budget = budget;
    this.#onEmpty = onEmpty;
  }

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  get entries(): readonly GroupEntry[] {
    return [...this.#byKey.values()].map(({ entry }) => entry);
  }

  /** Replaces or removes the value of the entry's key. Does nothing for an entry without a key. */
  put(entry: GroupEntry): void {
    const { latest } = entry.published;
    if (latest === undefined) return;
    const { key, isRemoved } = latest;
    this.#delete(key);
    if (isRemoved) return;
    if (this.isEmpty) this.#budget.groupBegins();
    this.#byKey.set(key, this.#budget.add(entry, this));
    this.#bytes += entry.bytes + key.length;
    const { maxKeys, maxBytes } = this.#limits;
    while (this.#byKey.size > maxKeys || this.#bytes > maxBytes) this.#deleteOldest();
    this.#budget.shrink();
  }

  expire(nowMs: number): void {
    for (const [key, { entry }] of this.#byKey) {
      if (nowMs - entry.atMs < this.#limits.valueTtlMs) return;
      this.#delete(key);
    }
  }

  clear(): void {
    for (const key of [...this.#byKey.keys()]) this.#delete(key);
  }

  dropOldest(): void {
    this.#deleteOldest();
    if (this.isEmpty) this.#onEmpty();
  }

  #deleteOldest(): void {
    const [oldest] = this.#byKey.keys();
    if (oldest !== undefined) this.#delete(oldest);
  }

  #delete(key: string): void {
    const kept = this.#byKey.get(key);
    if (kept === undefined) return;
    this.#byKey.delete(key);
    this.#bytes -= kept.entry.bytes + key.length;
    this.#budget.remove(kept);
    if (this.isEmpty) this.#budget.groupEnds();
  }
}
