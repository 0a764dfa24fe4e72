// An unordered set with O(1) insertion and removal: each item stores its own index, and removing it moves the last item
// into its slot.
//
// A Set or Map would do, but for the garbage collector. Where entries come and go, V8 reallocates the hash table again and
// again; the old tables stay linked to the new one and keep every value in them alive until the next full collection.
// Adding and removing 1,000 items costs one seventh of a Set (bench/micro/indexed-set.js, docs/decisions/0015).

export interface IndexedItem {
  /** Index in the IndexedSet that contains this item; undefined if none does. Written by IndexedSet only. */
  index: number | undefined;
}

export class IndexedSet<Item extends IndexedItem> {
  readonly #items: Item[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** Adds an item that is in no IndexedSet. */
  add(item: Item): void {
    item.index = this.#items.push(item) - 1;
  }

  /** Removes an item of this set. Returns false if the item is in no set. */
  delete(item: Item): boolean {
    const { index } = item;
    if (index === undefined) return false;
    item.index = undefined;
    const last = this.#items.pop()!;
    if (last !== item) {
      this.#items[index] = last;
      last.index = index;
    }
    return true;
  }

  /** Returns a copy, so that callers may add and delete while they iterate over it. */
  snapshot(): Item[] {
    return this.#items.slice();
  }
}
