// One message for several groups: a channel that is a member of several of them receives it once.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GroupStore } from "../../src/group/group-store.ts";
import { StoresMover } from "../../src/group/moving.ts";
import { Publications } from "../../src/group/publications.ts";
import { type ChannelStore, createChannelStore, MemoryBackplane } from "../../src/index.ts";
import { chance, LateBackplane, late } from "../support/late-backplane.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { until } from "../support/wait.ts";

const KINDS: readonly (readonly [name: string, make: () => ChannelStore])[] = [
  ["without a backplane", () => createChannelStore()],
  ["with a backplane", () => createChannelStore({ backplane: new MemoryBackplane() })],
];

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
}

for (const [name, make] of KINDS) {
  describe(`publish to several groups ${name}`, () => {
    it("reaches a member of several once, members of one, and no others; each history has it under its id", async () => {
      const store = make();
      const [both, one, other, none] = [1, 2, 3, 4].map(() => new MemoryChannel()) as [
        MemoryChannel,
        MemoryChannel,
        MemoryChannel,
        MemoryChannel,
      ];
      for (const group of ["a", "b"]) store.addToGroup(group, both.channel);
      store.addToGroup("a", one.channel);
      store.addToGroup("b", other.channel);
      store.addToGroup("c", none.channel);
      const { ids } = await store.publish(["a", "b", "empty"], "news");
      await store.publish("b", "later");
      await turns();
      assert.deepEqual(
        [both, one, other, none].map((member) => member.take()),
        [["news", "later"], ["news"], ["news", "later"], []],
      );
      assert.equal(ids.length, 3);
      for (const [i, group] of ["a", "b", "empty"].entries()) {
        const { messages } = await store.history(group);
        assert.deepEqual(messages[0], { id: ids[i], data: "news" });
      }
    });

    it("leaves out the member that is given as `except`, in all groups, live and in a replay", async () => {
      const store = make();
      const [sender, witness] = [new MemoryChannel(), new MemoryChannel()];
      for (const { channel } of [sender, witness]) for (const group of ["a", "b"]) store.addToGroup(group, channel);
      await store.publish(["a", "b"], "x", { except: sender.channel });
      store.removeFromGroup("b", sender.channel);
      store.addToGroup("b", sender.channel, undefined, { since: "" });
      await turns();
      assert.deepEqual([sender.take(), witness.take()], [[], ["x"]]);
    });

    it("reaches a member once that joins the second group while it is delivered in the first", async () => {
      const store = make();
      const member = new MemoryChannel();
      member.onSent = () => store.addToGroup("b", member.channel, undefined, { since: "" });
      store.addToGroup("a", member.channel);
      await store.publish(["a", "b"], "x");
      await turns();
      assert.deepEqual(member.take(), ["x"]);
    });

    it("reaches a member once that comes back to several groups with its ids", async () => {
      const store = make();
      const { ids: before } = await store.publish(["a", "b", "c"], "before");
      await store.publish(["c", "b", "a"], "one");
      await store.publish("b", "two");
      await store.publish(["a", "c"], "three");
      const member = new MemoryChannel();
      for (const [i, group] of ["a", "b", "c"].entries()) {
        store.addToGroup(group, member.channel, undefined, { since: before[i]! });
      }
      await until(() => member.sent.length >= 3, "all have come");
      await turns();
      assert.deepEqual(member.take().toSorted(), ["one", "three", "two"]);
    });

    it("refuses no groups, too many, one twice, and wrong names", async () => {
      const store = make();
      const names = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
      assert.equal((await store.publish(names(100), "x")).ids.length, 100);
      for (const wrong of [[], names(101), ["a", "a"], ["a", 1], ["x".repeat(1025)], {}, null]) {
        await assert.rejects(
          store.publish(wrong as string[], "x"),
          { code: "BAD_OPTION" },
          JSON.stringify(wrong).slice(0, 20),
        );
      }
      await assert.rejects(store.publish(["a", "b"], new ReadableStream()), { code: "BAD_DATA" });
      await store.close();
      await assert.rejects(store.publish(["a", "b"], "x"), { code: "BACKPLANE_UNAVAILABLE" });
    });
  });
}

describe("publish to several groups, over a backplane that is late with everything", () => {
  it("reaches every member once, of any groups, that joins at any time with an id", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      try {
        await run(chance(seed * 104_729));
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
});

async function run(random: () => number): Promise<void> {
  const GROUPS = ["a", "b", "c"];
  const history = { size: 100_000, ttlMs: 600_000 };
  const broker = new MemoryBackplane();
  const stores = [0, 1].map(() =>
    createChannelStore({ history, backplane: new LateBackplane(broker.share(), random) }),
  );
  const members: { readonly member: MemoryChannel; readonly since: Map<string, string> }[] = [];
  const pending: Promise<unknown>[] = [];
  const known = new Map<string, string[]>(GROUPS.map((group) => [group, []]));
  for (let n = 0; n < 60; ) {
    await late(random);
    if (random() < 0.6) {
      const groups = GROUPS.filter(() => random() < 0.6);
      if (groups.length === 0) continue;
      const message = String(n++);
      pending.push(
        stores[0]!.publish(groups, message).then(({ ids }) => {
          for (const [i, id] of ids.entries()) known.get(groups[i]!)!.push(id);
        }),
      );
    } else {
      const store = stores[random() < 0.5 ? 0 : 1]!;
      const member = new MemoryChannel();
      const since = new Map<string, string>();
      members.push({ member, since });
      for (const group of GROUPS) {
        const ids = known.get(group)!;
        if (random() < 0.3 || ids.length === 0) continue;
        since.set(group, ids[Math.floor(random() * ids.length)]!);
        store.addToGroup(group, member.channel, undefined, { since: since.get(group)! });
        if (random() < 0.3) await late(random);
      }
    }
  }
  await Promise.all(pending);
  for (const { member, since } of members) {
    const expected = new Set<unknown>();
    for (const [group, id] of since) {
      for (const { data } of (await stores[0]!.history(group, id)).messages) expected.add(data);
    }
    await until(() => member.sent.length >= expected.size, "the member has everything");
    await turns();
    assert.deepEqual(member.take().toSorted(), [...expected].toSorted());
  }
  await Promise.all(stores.map((store) => store.close()));
}

describe("a member that moves to another process", () => {
  it("receives a message once that had reached it through one of its groups only", async () => {
    const broker = new MemoryBackplane();
    /** A process that has not heard the second group yet. */
    const behind = broker.share();
    const { subscribe } = behind;
    const later: (() => void)[] = [];
    behind.subscribe = (group, listener) =>
      subscribe.call(behind, group, {
        entry: (entry) => (group === "b" ? later.push(() => listener.entry(entry)) : listener.entry(entry)),
        gap: () => listener.gap(),
      });
    const stores = [behind, broker.share()].map((backplane) => createChannelStore({ backplane })) as [
      ChannelStore,
      ChannelStore,
    ];
    const movers = stores.map(
      (store) => new StoresMover({ main: store as GroupStore }, (error) => assert.fail(String(error))),
    ) as [StoresMover, StoresMover];
    const member = new MemoryChannel();
    // No message was published to these groups before.
    for (const group of ["a", "b"]) stores[0].addToGroup(group, member.channel);
    await turns();
    await stores[1].publish("b", "before");
    await stores[1].publish(["a", "b"], "x");
    await stores[1].publish("b", "after");
    await until(() => member.sent.length === 1, "it has come through the first group");
    const memberships = JSON.parse(JSON.stringify(movers[0].leave(member.channel))) as unknown[];
    for (const run of later.splice(0)) run();
    const next = new MemoryChannel();
    movers[1].join(next.channel, memberships);
    await until(() => next.sent.length >= 2, "the rest has come");
    await turns();
    assert.deepEqual([member.take(), next.take()], [["x"], ["before", "after"]]);
    await Promise.all(stores.map((store) => store.close()));
  });
});

describe("the receivers of publications", () => {
  it("are remembered for the latest 1,000 publications", () => {
    const publications = new Publications();
    const { channel } = new MemoryChannel();
    const first = publications.open("0");
    assert.equal(first.isFirstFor(channel), true);
    for (let i = 1; i < 1000; i++) publications.open(String(i));
    assert.equal(publications.open("0"), first);
    assert.equal(first.isFirstFor(channel), false);
    publications.open("1000");
    assert.equal(first.isFirstFor(channel), true);
    assert.notEqual(publications.open("0"), first);
  });

  it("are remembered up to 100,000 together, and the oldest publications forgotten first", () => {
    const publications = new Publications();
    const channels = Array.from({ length: 50_000 }, () => ({}) as MemoryChannel["channel"]);
    const all = ["a", "b", "c"].map((key) => publications.open(key));
    const [a, b, c] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
    for (const channel of channels) assert.ok(a.isFirstFor(channel) && b.isFirstFor(channel));
    assert.deepEqual([a.isFirstFor(channels[0]!), b.isFirstFor(channels[0]!)], [false, false]);
    c.isFirstFor(channels[0]!);
    assert.deepEqual([a.isForgotten, b.isForgotten, c.isForgotten], [true, false, false]);
  });
});
