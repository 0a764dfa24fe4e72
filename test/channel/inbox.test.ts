// How much waits for a slow receiver before reading pauses: just under, and just over; and when the end is reported.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Message } from "../../src/channel/channel.ts";
import { Inbox, type Receiver } from "../../src/channel/inbox.ts";
import { BufferBudget } from "../../src/transport/io/buffer-budget.ts";

interface Bench {
  readonly inbox: Inbox;
  readonly told: string[];
  readonly got: Message[];
}

/** An inbox in which everything waits until it is released. */
function bench(receive: Receiver["receive"] = () => undefined): Bench {
  const told: string[] = [];
  const got: Message[] = [];
  const receiver: Receiver = {
    receive(message) {
      got.push(message);
      return receive(message);
    },
  };
  const source = { pause: () => told.push("pause"), resume: () => told.push("resume") };
  const buffered = new BufferBudget(Number.POSITIVE_INFINITY);
  const inbox = new Inbox(receiver, source, buffered, {
    inboxEnded: () => told.push("ended"),
    answer: (request) => told.push(`request ${request.id}`),
  });
  return { inbox, told, got };
}

describe("Inbox", () => {
  for (const [what, message, count] of [
    ["64 messages", "", 64],
    ["64 KiB of text", "x".repeat(1024), 64],
    ["64 KiB of bytes in fewer messages", new Uint8Array(32_768), 2],
    ["one message of 64 KiB", "x".repeat(65_536), 1],
  ] as const) {
    it(`pauses reading at ${what}, not before, and resumes when they are delivered`, () => {
      const { inbox, told, got } = bench();
      for (let i = 1; i < count; i++) inbox.accept(message);
      assert.deepEqual(told, []);
      inbox.accept(message);
      assert.deepEqual(told, ["pause"]);
      // A message that was read before the pause is still accepted.
      inbox.accept(message);
      inbox.release();
      assert.deepEqual(told, ["pause", "resume"]);
      assert.equal(got.length, count + 1);
    });
  }

  it("does not pause for a byte less", () => {
    const { inbox, told } = bench();
    inbox.accept("x".repeat(65_535));
    assert.deepEqual(told, []);
  });

  it("never pauses while nothing waits", () => {
    const { inbox, told, got } = bench();
    inbox.release();
    for (let i = 0; i < 1000; i++) inbox.accept("x".repeat(1000));
    assert.deepEqual(told, []);
    assert.equal(got.length, 1000);
  });

  it("ends after the last message that was held", () => {
    const { inbox, told, got } = bench();
    inbox.accept("a");
    inbox.end();
    assert.deepEqual(told, []);
    inbox.release();
    assert.deepEqual([got, told], [["a"], ["ended"]]);
  });

  it("ends when the setup has settled, without what was discarded meanwhile", () => {
    const { inbox, told, got } = bench();
    inbox.accept("a");
    inbox.end();
    inbox.discard();
    inbox.release();
    assert.deepEqual([got, told], [[], ["ended"]]);
  });

  it("waits for the receiver's promise with the next message and with the end", async () => {
    const settled = pending();
    const { inbox, told, got } = bench(() => settled.promise);
    inbox.release();
    inbox.accept("a");
    inbox.accept("b");
    inbox.end();
    assert.deepEqual([got, told], [["a"], []]);
    settled.resolve();
    await new Promise(setImmediate);
    assert.deepEqual([got, told], [["a", "b"], ["ended"]]);
  });

  it("drops what waits behind a receiver, and what comes later, when the channel is closed; the end still waits", async () => {
    const settled = pending();
    const { inbox, told, got } = bench(() => settled.promise);
    inbox.release();
    inbox.accept("a");
    inbox.accept("b");
    inbox.discard();
    inbox.accept("c");
    inbox.end();
    assert.deepEqual([got, told], [["a"], []]);
    settled.resolve();
    await new Promise(setImmediate);
    assert.deepEqual([got, told], [["a"], ["ended"]]);
  });

  it("gives a loop all that waits before it reports the end", async () => {
    const { inbox, told, got } = bench();
    inbox.accept("a");
    assert.deepEqual(await inbox.pull(), { done: false, value: "a" });
    const next = inbox.pull();
    inbox.accept("b");
    assert.deepEqual(await next, { done: false, value: "b" });
    inbox.accept("c");
    inbox.end();
    assert.deepEqual(told, []);
    assert.deepEqual(await inbox.pull(), { done: false, value: "c" });
    assert.deepEqual(await inbox.pull(), { done: true, value: undefined });
    assert.deepEqual([got, told], [[], ["ended"]]);
  });
});

/** A promise that a test resolves: Node 20 has no `Promise.withResolvers`. */
function pending(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
