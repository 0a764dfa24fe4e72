import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { Deadline } from "../../src/base/deadline.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

describe("a deadline", () => {
  it("passes once, at its time", () => {
    const clock = new VirtualClock();
    let late = 0;
    new Deadline(clock, 1000, () => late++);
    clock.advance(1000);
    assert.equal(late, 0);
    clock.advance(10_000);
    assert.equal(late, 1);
  });

  it("does not pass when it was cleared, not even between its two looks", () => {
    const clock = new VirtualClock();
    const deadline = new Deadline(clock, 1000, () => assert.fail("it passed"));
    clock.advance(1000);
    deadline.clear();
    clock.advance(10_000);
  });

  it("counts anew from a restart on", () => {
    const clock = new VirtualClock();
    let late = 0;
    const deadline = new Deadline(clock, 1000, () => late++);
    clock.advance(900);
    deadline.restart();
    clock.advance(900);
    assert.equal(late, 0);
    clock.advance(200);
    assert.equal(late, 1);
  });

  it("does not pass before a busy process has read bytes that arrived in time", async () => {
    const { port1, port2 } = new MessageChannel();
    let late = 0;
    const heard = new Promise<void>((resolve) => {
      port2.onmessage = () => {
        deadline.clear();
        resolve();
      };
    });
    const deadline = new Deadline(systemClock, 20, () => late++);
    port1.postMessage("in time");
    for (const until = performance.now() + 60; performance.now() < until; );
    await heard;
    await new Promise((resolve) => setTimeout(resolve, 20));
    port1.close();
    assert.equal(late, 0);
  });
});
