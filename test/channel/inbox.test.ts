// How much waits for a slow receiver before reading pauses: just under, and just over.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Message } from "../../src/channel/channel.ts";
import { Inbox, type Receiver } from "../../src/channel/inbox.ts";

interface Bench {
  readonly inbox: Inbox;
  readonly told: string[];
  readonly got: Message[];
}

/** An inbox in which everything waits until it is released. */
function bench(): Bench {
  const told: string[] = [];
  const got: Message[] = [];
  const receiver: Receiver = { receive: (message) => void got.push(message) };
  const inbox = new Inbox(receiver, {
    pauseReading: () => told.push("pause"),
    resumeReading: () => told.push("resume"),
    inboxEnded: () => told.push("ended"),
    inboxHolds: () => {},
    messageTaken: () => {},
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
      // What was read before the pause still comes.
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
});
