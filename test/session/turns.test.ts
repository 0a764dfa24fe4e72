// Work of many clients, spread over turns of the event loop.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Turns } from "../../src/session/turns.ts";
import { turn } from "../support/wait.ts";

describe("Turns", () => {
  it("does a limited amount in one turn, and the rest in the next turns, first come first served", async () => {
    const turns = new Turns(100);
    const order: number[] = [];
    assert.equal(turns.take(60), undefined);
    assert.equal(turns.take(40), undefined);
    for (const [i, amount] of [50, 60, 40].entries()) void turns.take(amount)!.then(() => order.push(i));
    assert.deepEqual(order, []);
    await turn();
    assert.deepEqual(order, [0]);
    await turn();
    assert.deepEqual(order, [0, 1, 2]);
    await turn();
    assert.equal(turns.take(100), undefined);
  });

  it("does more work than a turn's amount in a separate turn", async () => {
    const turns = new Turns(100);
    assert.equal(turns.take(1000), undefined);
    let isDone = false;
    void turns.take(1000)!.then(() => {
      isDone = true;
    });
    await turn();
    assert.equal(isDone, true);
  });

  it("keeps the order: later work does not overtake work that waits", async () => {
    const turns = new Turns(100);
    turns.take(90);
    const waits = turns.take(50);
    assert.notEqual(turns.take(1), undefined);
    await waits;
  });
});
