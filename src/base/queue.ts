// A first-in, first-out queue with O(1) `push` and `shift`.
//
// Why not an array: beyond some 16,000 elements `Array.prototype.shift` moves all of them (Node 20.20: emptying 100,000
// takes seconds), and a client decides how long many of our queues become (test/growth.test.ts).

/** Number of taken elements from which on the array is compacted once half of it is taken: each element moves at most once. */
const COMPACT_FROM = 64;

export class Queue<Item> implements Iterable<Item> {
  #items: (Item | undefined)[] = [];
  /** Index of the first element that was not taken. */
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Appends an item; returns the new length. */
  push(item: Item): number {
    this.#items.push(item);
    return this.length;
  }

  /** Removes and returns the first item, or undefined when the queue is empty. */
  shift(): Item | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    // The array keeps the slot for a while, but must not keep its value alive.
    this.#items[this.#head++] = undefined;
    if (this.length === 0) this.clear();
    else if (this.#head >= COMPACT_FROM && this.#head >= this.length) {
      this.#items = this.slice();
      this.#head = 0;
    }
    return item;
  }

  /** Returns the item at `index`, counted from the first; undefined beyond the last. */
  at(index: number): Item | undefined {
    return index < 0 ? undefined : this.#items[this.#head + index];
  }

  /** Returns a copy of the items from `index` on, in order. */
  slice(index = 0): Item[] {
    return this.#items.slice(this.#head + index) as Item[];
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }

  /** Iterates over a copy of the items. */
  [Symbol.iterator](): IterableIterator<Item> {
    return this.slice().values();
  }
}
