// The numbers of members in all processes, without a list of them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Counts } from "../../src/group/stream/counts.ts";
import { type Backplane, type BackplaneMember, createChannelStore, MemoryBackplane } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { untilAsync } from "../support/wait.ts";

/** Records the calls, and fails while `fails` is true. */
class CountedBackplane {
  readonly records = new Map<string, BackplaneMember>();
  readonly calls: string[] = [];
  fails = false;
  underWay = 0;
  most = 0;

  async enter(group: string, member: BackplaneMember): Promise<void> {
    await this.#call(`${group.split(":").at(-1)}=${Buffer.from(member.payload)}`);
    this.records.set(group, member);
  }

  async leave(group: string): Promise<void> {
    await this.#call(`${group.split(":").at(-1)} leaves`);
    this.records.delete(group);
  }

  async present(group: string): Promise<readonly BackplaneMember[]> {
    const record = this.records.get(group);
    return record === undefined ? [] : [record];
  }

  async #call(what: string): Promise<void> {
    this.calls.push(what);
    this.underWay += 1;
    this.most = Math.max(this.most, this.underWay);
    await new Promise(setImmediate);
    this.underWay -= 1;
    if (this.fails) throw new Error("away");
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 30; i++) await new Promise(setImmediate);
}

describe("count", () => {
  it("is the size of the group without a backplane", async () => {
    const store = createChannelStore();
    store.addToGroup("g", new MemoryChannel().channel);
    assert.deepEqual([await store.count("g"), await store.count("empty")], [1, 0]);
    await store.close();
    await assert.rejects(store.count("g"), { code: "BACKPLANE_UNAVAILABLE" });
  });

  it("needs the option `counts` with a backplane", async () => {
    const store = createChannelStore({ backplane: new MemoryBackplane() });
    await assert.rejects(store.count("g"), { code: "BAD_OPTION", message: /counts: true/ });
    assert.throws(() => createChannelStore({ counts: 1 as unknown as boolean }), { code: "BAD_OPTION" });
    await store.close();
  });

  it("adds the members of all processes; those of a process that closes its store are gone", async () => {
    const broker = new MemoryBackplane();
    const stores = [0, 1, 2].map(() => createChannelStore({ counts: true, backplane: broker.share() }));
    const members = stores.flatMap((store, i) =>
      Array.from({ length: i + 1 }, () => {
        const member = new MemoryChannel();
        store.addToGroup("g", member.channel);
        return member;
      }),
    );
    for (const store of stores) await untilAsync(async () => (await store.count("g")) === 6, "all six are counted");
    members[5]!.leave();
    await turns();
    assert.equal(await stores[2]!.count("g"), 5, "its own members are counted at once");
    await untilAsync(async () => (await stores[0]!.count("g")) === 5, "the others see it");
    await stores[2]!.close();
    assert.equal(await stores[0]!.count("g"), 3);
    await Promise.all(stores.map((store) => store.close()));
  });

  it("reports a record that is no number, and counts the others", async () => {
    const broker = new MemoryBackplane();
    const errors: unknown[] = [];
    const store = createChannelStore({
      counts: true,
      backplane: broker.share(),
      onError: (error) => errors.push(error),
    });
    await broker.share().enter("\0unichannel:count:g", { key: "x", payload: Buffer.from("many") });
    store.addToGroup("g", new MemoryChannel().channel);
    assert.equal(await store.count("g"), 1);
    assert.equal((errors[0] as { code: string }).code, "BAD_DATA");
    await store.close();
  });
});

describe("the writing of counts", () => {
  it("happens at most once in a second for each group, with the latest size", async () => {
    const clock = new VirtualClock();
    const backplane = new CountedBackplane();
    const counts = new Counts(backplane as unknown as Backplane, clock, assert.fail);
    for (let size = 1; size <= 100; size++) counts.changed("g", size);
    clock.advance(0);
    await turns();
    for (let size = 99; size >= 0; size--) counts.changed("g", size);
    counts.changed("h", 1);
    clock.advance(999);
    await turns();
    assert.deepEqual(backplane.calls, ["g=100"]);
    clock.advance(1);
    await turns();
    assert.deepEqual(backplane.calls, ["g=100", "g leaves", "h=1"]);
    clock.advance(10_000);
    await turns();
    assert.equal(backplane.calls.length, 3);
    assert.equal(clock.pending, 0);
  });

  it("is repeated after a failure, reported once for all groups, with 64 records at once", async () => {
    const clock = new VirtualClock();
    const backplane = new CountedBackplane();
    const errors: unknown[] = [];
    const counts = new Counts(backplane as unknown as Backplane, clock, (error) => errors.push(error));
    backplane.fails = true;
    for (let i = 0; i < 500; i++) counts.changed(String(i), 1);
    clock.advance(0);
    await turns();
    assert.deepEqual([errors.length, backplane.calls.length, backplane.most], [1, 500, 64]);
    backplane.fails = false;
    counts.changed("7", 3);
    clock.advance(1000);
    await turns();
    assert.deepEqual([errors.length, backplane.calls.length, backplane.records.size], [1, 1000, 500]);
    assert.equal(await counts.count("7", 2), 2);
    counts.close();
    counts.changed("7", 4);
    clock.advance(1000);
    assert.equal(backplane.calls.length, 1000);
  });
});
