// Calls that wait for a group's subscription, over a backplane that fails.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createChannelStore, MemoryBackplane } from "../../../src/index.ts";
import { MemoryChannel } from "../../support/memory-channel.ts";

describe("a backplane that throws in its call", () => {
  it("fails the one message that it throws for, of those that wait for the subscription", async () => {
    class Throwing extends MemoryBackplane {
      #calls = 0;
      override publish(...args: Parameters<MemoryBackplane["publish"]>): Promise<string> {
        this.#calls += 1;
        if (this.#calls === 1) throw new Error("thrown, not rejected");
        return super.publish(...args);
      }
    }
    const store = createChannelStore({ backplane: new Throwing(), onError() {} });
    const member = new MemoryChannel();
    store.addToGroup("g", member.channel);
    const outcomes = await Promise.allSettled([store.publish("g", "first"), store.publish("g", "second")]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["rejected", "fulfilled"],
    );
    assert.deepEqual(
      member.sent.map(({ body }) => body),
      ["second"],
    );
    await store.close();
  });
});
