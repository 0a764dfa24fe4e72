// The cursors that a session has of its client: their number and memory are bounded, and counted.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Cursors, MAX_CURSOR_BYTES, MAX_CURSORS } from "../../src/session/cursors.ts";
import { BufferBudget } from "../../src/transport/io/buffer-budget.ts";

describe("The cursors of a session", () => {
  it("are taken once", () => {
    const cursors = new Cursors("awaited", new BufferBudget(1e6));
    cursors.tell({ type: "since", group: "a", id: "1" });
    cursors.tell({ type: "since" });
    assert.equal(cursors.take("a"), "1");
    assert.equal(cursors.take("a"), undefined);
    assert.equal(cursors.areIncomplete, false);
  });

  it("are told when the last record has come, and later records are ignored", () => {
    const cursors = new Cursors("awaited", new BufferBudget(1e6));
    const calls: string[] = [];
    cursors.whenTold(() => calls.push("told"));
    cursors.tell({ type: "since", group: "a", id: "1" });
    assert.deepEqual([cursors.areAwaited, calls], [true, []]);
    cursors.tell({ type: "since", forgotten: true });
    assert.deepEqual([cursors.areAwaited, cursors.areIncomplete, calls], [false, true, ["told"]]);
    cursors.tell({ type: "since", group: "b", id: "1" });
    assert.equal(cursors.take("b"), undefined);
  });

  it(`are ${MAX_CURSORS} at most: others count as forgotten`, () => {
    const cursors = new Cursors("awaited", new BufferBudget(1e6));
    for (let n = 0; n < MAX_CURSORS; n++) cursors.tell({ type: "since", group: `${n}`, id: "1" });
    assert.equal(cursors.areIncomplete, false);
    cursors.tell({ type: "since", group: "one more", id: "1" });
    assert.equal(cursors.areIncomplete, true);
    assert.equal(cursors.take("one more"), undefined);
    assert.equal(cursors.take("0"), "1");
  });

  it("have 64 KiB of memory at most, which counts with what clients have sent until they are taken", () => {
    const budget = new BufferBudget(1e6);
    const cursors = new Cursors("awaited", budget);
    const id = "1".repeat(MAX_CURSOR_BYTES / 64 - 2);
    for (let n = 10; n < 74; n++) cursors.tell({ type: "since", group: `${n}`, id });
    assert.deepEqual([cursors.areIncomplete, budget.bytes], [false, MAX_CURSOR_BYTES]);
    cursors.tell({ type: "since", group: "x", id: "" });
    assert.deepEqual([cursors.areIncomplete, budget.bytes], [true, MAX_CURSOR_BYTES]);
    cursors.take("10");
    assert.equal(budget.bytes, MAX_CURSOR_BYTES - id.length - 2);
    cursors.clear();
    assert.equal(budget.bytes, 0);
  });

  it("go to another process as they are, awaited or not", () => {
    const budget = new BufferBudget(1e6);
    const cursors = new Cursors("awaited", budget);
    cursors.tell({ type: "since", group: "a", id: "1" });
    const moved = Cursors.restore(JSON.parse(JSON.stringify(cursors.snapshot())), budget);
    moved.tell({ type: "since", group: "b", id: "2" });
    moved.tell({ type: "since", forgotten: true });
    assert.deepEqual(
      [moved.areAwaited, moved.areIncomplete, moved.take("a"), moved.take("b")],
      [false, true, "1", "2"],
    );
  });
});
