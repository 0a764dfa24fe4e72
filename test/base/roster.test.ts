// Those who are there: what a set does, but for the order.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Listed, Roster } from "../../src/base/roster.ts";

class Item implements Listed {
  place = -1;
}

describe("Roster", () => {
  it("has what was added and not deleted, in any order of doing so", () => {
    const items = Array.from({ length: 8 }, () => new Item());
    const steps = fc.array(fc.tuple(fc.constantFrom("add", "delete", "replace"), fc.nat(7), fc.nat(7)));
    fc.assert(
      fc.property(steps, (taken) => {
        const roster = new Roster<Item>();
        const set = new Set<Item>();
        for (const item of items) item.place = -1;
        for (const [step, i, j] of taken) {
          const [item, other] = [items[i]!, items[j]!];
          if (step === "add" && !set.has(item)) {
            roster.add(item);
            set.add(item);
          } else if (step === "delete") {
            assert.equal(roster.delete(item), set.delete(item));
          } else if (step === "replace" && set.has(item) && !set.has(other)) {
            roster.replace(item, other);
            set.delete(item);
            set.add(other);
          }
          assert.equal(roster.size, set.size);
          assert.deepEqual(new Set(roster.all()), set);
          assert.deepEqual(
            items.map(({ place }) => place !== -1),
            items.map((one) => set.has(one)),
          );
        }
      }),
    );
  });

  it("shows those who were here when it was asked, whoever leaves meanwhile", () => {
    const roster = new Roster<Item>();
    const items = [new Item(), new Item(), new Item()];
    for (const item of items) roster.add(item);
    const seen: Item[] = [];
    for (const item of roster.all()) {
      seen.push(item);
      for (const other of items) roster.delete(other);
    }
    assert.deepEqual(seen, items);
    assert.equal(roster.size, 0);
  });
});
