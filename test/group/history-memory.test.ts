// The memory of a history stays within its limits after members and polls have been given its messages: the forms in which the
// messages were sent are not kept.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type ChannelStore, createChannelStore, pollGroup } from "../../src/index.ts";
import { collector } from "../support/collector.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { lacks } from "../support/runtime.ts";
import { request, serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";

const COUNT = 300;
const BYTES = 10_000;

const collect = collector();

/** Memory that is in use once the garbage is gone. */
async function usedBytes(): Promise<number> {
  for (let n = 0; n < 5; n++) {
    await turn();
    collect();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Publishes messages of COUNT * BYTES bytes together. */
async function fill(store: ChannelStore): Promise<void> {
  // Each text is decoded anew: `repeat` makes a text that grows when it is first read.
  for (let n = 0; n < COUNT; n++) await store.publish("g", Buffer.alloc(BYTES, 0x61 + (n % 26)).toString("latin1"));
}

/**
 * Fails if `deliver` leaves more memory in use than the `added` messages, and a tenth. It is called for a store that has
 * `COUNT` messages; the first store is there to compile code and fill caches.
 */
async function assertNothingStays(deliver: (store: ChannelStore) => Promise<void>, added = 0): Promise<void> {
  for (const isMeasured of [false, true]) {
    const store = make();
    await fill(store);
    const before = await usedBytes();
    await deliver(store);
    const grown = (await usedBytes()) - before;
    if (isMeasured) assert.ok(grown < (added + COUNT / 10) * BYTES, `${grown} bytes stay`);
    await store.close();
  }
}

async function lengthOfPoll(t: TestContext, store: ChannelStore, since: string, wait?: () => Promise<void>) {
  const site = await serving(t, (r) => pollGroup(r, store, "g"));
  const client = await site.connect();
  client.write(request(`GET /?since=${encodeURIComponent(since)}`));
  await wait?.();
  const { text } = await client.response();
  client.destroy();
  return text.length;
}

const make = () => createChannelStore({ history: { size: 3 * COUNT, maxBytes: 4 * COUNT * BYTES } });

describe("the memory of a history", { skip: lacks("a heap whose garbage is gone after a collection") }, () => {
  it("is the same after a member has received it with ids", () =>
    assertNothingStays(async (store) => {
      const member = new MemoryChannel();
      store.addToGroup("g", member.channel, undefined, { since: "", ids: true });
      assert.equal(member.take().length, COUNT);
    }));

  it("is the same after a poll has been answered with it", (t) =>
    assertNothingStays(async (store) => {
      assert.ok((await lengthOfPoll(t, store, "")) > COUNT * BYTES);
    }));

  it("grows by the messages alone when a poll has waited for them", (t) =>
    assertNothingStays(async (store) => {
      const { id } = await store.publish("g", "position");
      const wait = async () => {
        await until(() => store.size("g") === 1, "it waits");
        await fill(store);
      };
      assert.ok((await lengthOfPoll(t, store, id, wait)) > BYTES);
    }, COUNT));
});
