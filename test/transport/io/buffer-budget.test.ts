// The connections that have to make room when all of them together hold too much.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BufferBudget } from "../../../src/transport/io/buffer-budget.ts";

describe("BufferBudget", () => {
  it("is exceeded by more than its bytes, not by as many", () => {
    const budget = new BufferBudget(100);
    budget.change(0, 100);
    assert.equal(budget.isExceeded, false);
    budget.change(100, 101);
    assert.equal(budget.isExceeded, true);
    budget.change(101, 0);
    assert.equal(budget.bytes, 0);
    assert.equal(budget.isExceeded, false);
  });

  it("is far exceeded by more than 16 MiB", () => {
    const MIB = 1 << 20;
    const budget = new BufferBudget(64 * MIB);
    budget.change(0, MIB);
    budget.change(MIB, 80 * MIB);
    assert.equal(budget.isExceeded, true);
    assert.equal(budget.isFarExceeded, false);
    budget.change(80 * MIB, 80 * MIB + 1);
    assert.equal(budget.isFarExceeded, true);
  });

  it("takes those that hold their equal part or more, and never one that holds nothing", () => {
    const budget = new BufferBudget(100);
    for (const bytes of [70, 25, 24, 1]) budget.change(0, bytes);
    assert.deepEqual(
      [70, 25, 24, 1, 0].map((bytes) => budget.isShareSpent(bytes)),
      [true, true, false, false, false],
    );
  });

  it("has no end with Infinity, and allows nothing unsent with 0", () => {
    const endless = new BufferBudget(Number.POSITIVE_INFINITY);
    endless.change(0, 1e15);
    assert.equal(endless.isExceeded, false);
    const none = new BufferBudget(0);
    assert.equal(none.isExceeded, false);
    none.change(0, 1);
    assert.equal(none.isExceeded && none.isShareSpent(1), true);
    assert.equal(none.isShareSpent(0), false);
  });

  it("always finds a channel to end while it is exceeded", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 1 }), fc.nat(5000), (held, max) => {
        const budget = new BufferBudget(max);
        for (const bytes of held) budget.change(0, bytes);
        assert.equal(
          budget.bytes,
          held.reduce((sum, bytes) => sum + bytes, 0),
        );
        if (budget.isExceeded) assert.ok(held.some((bytes) => budget.isShareSpent(bytes)));
      }),
    );
  });
});
