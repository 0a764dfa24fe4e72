// IndexedSet holds what a Set would hold, in another order.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type IndexedItem, IndexedSet } from "../../src/base/indexed-set.ts";

class Item implements IndexedItem {
  index: number | undefined = undefined;
}

describe("an IndexedSet", () => {
  it("holds the added items until they are deleted, in any order", () => {
    const items = Array.from({ length: 8 }, () => new Item());
    const steps = fc.array(fc.tuple(fc.constantFrom("add", "delete"), fc.nat(7)));
    fc.assert(
      fc.property(steps, (taken) => {
        const indexed = new IndexedSet<Item>();
        const set = new Set<Item>();
        for (const item of items) item.index = undefined;
        for (const [step, i] of taken) {
          const item = items[i]!;
          if (step === "delete") assert.equal(indexed.delete(item), set.delete(item));
          else if (!set.has(item)) {
            indexed.add(item);
            set.add(item);
          }
          assert.equal(indexed.size, set.size);
          assert.deepEqual(new Set(indexed.snapshot()), set);
          assert.deepEqual(
            items.map(({ index }) => index !== undefined),
            items.map((one) => set.has(one)),
          );
        }
      }),
    );
  });

  it("returns snapshots that do not change when items are deleted", () => {
    const indexed = new IndexedSet<Item>();
    const items = [new Item(), new Item(), new Item()];
    for (const item of items) indexed.add(item);
    const seen: Item[] = [];
    for (const item of indexed.snapshot()) {
      seen.push(item);
      for (const other of items) indexed.delete(other);
    }
    assert.deepEqual(seen, items);
    assert.equal(indexed.size, 0);
  });
});
