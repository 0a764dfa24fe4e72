// The watch of a group's presence: who is there, who comes and who goes, in all processes.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GroupStore } from "../../src/group/group-store.ts";
import { StoresMover } from "../../src/group/moving.ts";
import {
  type Backplane,
  type BackplaneMember,
  type ChannelStore,
  type ChannelStoreOptions,
  createChannelStore,
  MemoryBackplane,
  type PresentMember,
} from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { chance, LateBackplane, late } from "../support/late-backplane.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { until, untilAsync } from "../support/wait.ts";

async function turns(): Promise<void> {
  for (let i = 0; i < 30; i++) await new Promise(setImmediate);
}

/** A watcher, and the members as it knows them. */
class Watched {
  readonly told: string[] = [];
  readonly members = new Map<string, unknown>();
  readonly stop: () => void;

  constructor(store: ChannelStore, group = "g") {
    this.stop = store.watchPresence(group, {
      enter: (member) => {
        assert.ok(!this.members.has(member.key), "it is new");
        this.#tell("enter", member);
      },
      change: (member) => {
        assert.ok(this.members.has(member.key), "it is known");
        this.#tell("change", member);
      },
      leave: ({ key, info }) => {
        assert.ok(this.members.delete(key), "it is known");
        this.told.push(`leave ${String(info)}`);
      },
    });
  }

  #tell(what: string, { key, info }: PresentMember): void {
    this.members.set(key, info);
    this.told.push(`${what} ${String(info)}`);
  }
}

function join(store: ChannelStore, info: unknown, group = "g"): MemoryChannel {
  const member = new MemoryChannel();
  store.addToGroup(group, member.channel, undefined, { presence: info });
  return member;
}

const KINDS: readonly (readonly [
  name: string,
  make: (options?: ChannelStoreOptions) => readonly [ChannelStore, ChannelStore],
])[] = [
  [
    "without a backplane",
    (options) => {
      const store = createChannelStore(options);
      return [store, store];
    },
  ],
  [
    "with a backplane",
    (options) => {
      const broker = new MemoryBackplane();
      return [
        createChannelStore({ ...options, backplane: broker.share() }),
        createChannelStore({ ...options, backplane: broker.share() }),
      ];
    },
  ],
];

for (const [name, make] of KINDS) {
  describe(`watchPresence ${name}`, () => {
    it("tells of the members that are there, of each that comes, changes and goes, in any process", async () => {
      const [here, there] = make();
      const ann = join(there, "ann");
      await turns();
      const watched = new Watched(here);
      await until(() => watched.told.length === 1, "ann is there");
      const bob = join(there, "bob");
      join(here, "another", "other group");
      here.addToGroup("g", new MemoryChannel().channel);
      await until(() => watched.told.length === 2, "bob is there");
      there.addToGroup("g", bob.channel, undefined, { presence: "bobby" });
      await until(() => watched.told.length === 3, "bob has changed");
      there.addToGroup("g", bob.channel, undefined, { presence: "bobby" });
      ann.leave();
      await until(() => watched.told.length === 4, "ann has left");
      there.removeFromGroup("g", bob.channel);
      await until(() => watched.told.length === 5, "bob has left");
      await turns();
      assert.deepEqual(watched.told, ["enter ann", "enter bob", "change bobby", "leave ann", "leave bobby"]);
      await Promise.all([here.close(), there.close()]);
    });

    it("tells each of several watchers everything, until it stops", async () => {
      const [here, there] = make();
      const first = new Watched(here);
      join(there, "ann");
      await until(() => first.told.length === 1, "ann is there");
      const second = new Watched(here);
      assert.deepEqual(second.told, ["enter ann"]);
      first.stop();
      first.stop();
      join(there, "bob");
      await until(() => second.told.length === 2, "bob is there");
      assert.deepEqual(first.told, ["enter ann"]);
      second.stop();
      const third = new Watched(here);
      await until(() => third.told.length === 2, "both are there");
      await Promise.all([here.close(), there.close()]);
      join(there, "late");
      await turns();
      assert.equal(third.told.filter((text) => text.startsWith("enter")).length, 2);
    });

    it("reports a handler that throws, and goes on", async () => {
      const errors: unknown[] = [];
      const [here] = make({ onError: (error, { group }) => errors.push([group, String(error)]) });
      const told: unknown[] = [];
      here.watchPresence("g", {
        enter: () => {
          throw new Error("mine");
        },
        leave: ({ info }) => told.push(info),
      });
      const ann = join(here, "ann");
      await until(() => errors.length === 1, "it is reported");
      ann.leave();
      await until(() => told.length === 1, "ann has left");
      assert.deepEqual(errors, [["g", "Error: mine"]]);
      await here.close();
    });

    it("refuses wrong arguments", () => {
      const [here] = make();
      assert.throws(() => here.watchPresence(1 as unknown as string, {}), { code: "BAD_OPTION" });
      assert.throws(() => here.watchPresence("g", { enter: 1 as unknown as () => void }), { code: "BAD_OPTION" });
      assert.throws(() => here.watchPresence("g", { join: () => {} } as object), { code: "BAD_OPTION" });
      assert.throws(() => here.watchPresence("\0unichannel:x", {}), { code: "BAD_OPTION" });
    });
  });
}

/** A broker whose backplanes count their calls, and can die without leaving. */
class Recording implements Backplane {
  readonly #inner: MemoryBackplane;
  readonly published: string[] = [];
  readonly hidden = new Set<string>();
  listed = 0;

  constructor(inner: MemoryBackplane) {
    this.#inner = inner;
  }

  publish(group: string, payload: Uint8Array, keep: { size: number; ttlMs: number }): Promise<string> {
    this.published.push(group);
    return this.#inner.publish(group, payload, keep);
  }

  async present(group: string): Promise<readonly BackplaneMember[]> {
    this.listed += 1;
    return (await this.#inner.present(group)).filter(({ key }) => !this.hidden.has(key));
  }

  subscribe: Backplane["subscribe"] = (group, listener) => this.#inner.subscribe(group, listener);
  unsubscribe: Backplane["unsubscribe"] = (group) => this.#inner.unsubscribe(group);
  history: Backplane["history"] = (group, since) => this.#inner.history(group, since);
  compareIds: Backplane["compareIds"] = (a, b) => this.#inner.compareIds(a, b);
  isId: Backplane["isId"] = (text) => this.#inner.isId(text);
  enter: Backplane["enter"] = (group, member) => this.#inner.enter(group, member);
  leave: Backplane["leave"] = (group, key) => this.#inner.leave(group, key);
  close: Backplane["close"] = () => this.#inner.close();
}

describe("watchPresence over a backplane", () => {
  it("costs processes whose groups nobody watches one question in a second, and no messages", async () => {
    const clock = new VirtualClock();
    const broker = new MemoryBackplane();
    const backplane = new Recording(broker.share());
    const store = createChannelStore({ backplane, clock });
    for (let i = 0; i < 1000; i++) {
      join(store, i, `group ${i % 100}`);
      if (i % 100 === 0) await turns();
    }
    await turns();
    assert.deepEqual(backplane.published, []);
    assert.equal(backplane.listed, 1);
    await store.close();
  });

  it("tells of 10,000 members in few messages, and of those of a process that has died when two lists lack them", async () => {
    const clock = new VirtualClock();
    const broker = new MemoryBackplane();
    const backplanes = [0, 1].map(() => new Recording(broker.share())) as [Recording, Recording];
    const [here, there] = backplanes.map((backplane) => createChannelStore({ backplane, clock })) as [
      ChannelStore,
      ChannelStore,
    ];
    const watched = new Watched(here);
    await turns();
    for (let i = 0; i < 10_000; i++) join(there, i);
    await until(() => watched.members.size === 10_000, "all are there");
    assert.ok(backplanes[1].published.length <= 50, `${backplanes[1].published.length} messages`);
    assert.deepEqual(
      [...watched.members.values()].toSorted((a, b) => Number(a) - Number(b)),
      Array.from({ length: 10_000 }, (_, i) => i),
    );
    for (const key of watched.members.keys()) backplanes[0].hidden.add(key);
    clock.advance(30_000);
    await turns();
    assert.equal(watched.members.size, 10_000, "a broker that was emptied lists them again soon");
    clock.advance(5000);
    await until(() => watched.members.size === 0, "all have left");
    assert.equal(watched.told.length, 20_000);
    await Promise.all([here.close(), there.close()]);
  });

  it("repairs what it was not told, with the next list", async () => {
    const clock = new VirtualClock();
    const broker = new MemoryBackplane();
    const store = createChannelStore({ backplane: broker.share(), clock });
    const watched = new Watched(store);
    await turns();
    await broker.share().enter("g", { key: "k", payload: Buffer.from('"silent"') });
    await broker.publish("\0unichannel:watch:g", Buffer.from("not events"), { size: 1, ttlMs: 1 });
    clock.advance(30_000);
    await until(() => watched.told.length === 1, "it is found");
    assert.deepEqual(watched.told, ["enter silent"]);
    await store.close();
  });

  it("ends with the members as the broker has them, whatever comes and goes, with calls that are late", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = chance(seed * 7919);
      const broker = new MemoryBackplane();
      const stores = [0, 1, 2].map(() => createChannelStore({ backplane: new LateBackplane(broker.share(), random) }));
      const watched = new Watched(stores[0]!);
      await turns();
      const members: MemoryChannel[] = [];
      for (let i = 0; i < 80; i++) {
        await late(random);
        if (random() < 0.6 || members.length === 0) members.push(join(stores[Math.floor(random() * 3)]!, i));
        else members.splice(Math.floor(random() * members.length), 1)[0]!.leave();
      }
      await untilAsync(async () => {
        const listed = (await stores[1]!.presence("g")).map(({ key }) => key).toSorted();
        return listed.length === members.length && String(listed) === String([...watched.members.keys()].toSorted());
      }, `the same members, seed ${seed}`);
      await Promise.all(stores.map((store) => store.close()));
    }
  });

  it("does not see a member leave or come back that moves to another process, though the first one closes", async () => {
    const clock = new VirtualClock();
    const broker = new MemoryBackplane(clock);
    const make = (): ChannelStore => createChannelStore({ backplane: broker.share(), clock });
    const [watching, old, next] = [make(), make(), make()] as [ChannelStore, ChannelStore, ChannelStore];
    const watched = new Watched(watching);
    await turns();
    const member = join(old, "ann");
    await until(() => watched.told.length === 1, "ann is there");
    const movers = [old, next].map(
      (store) => new StoresMover({ main: store as GroupStore }, (error) => assert.fail(String(error))),
    ) as [StoresMover, StoresMover];
    const memberships = JSON.parse(JSON.stringify(movers[0].leave(member.channel))) as unknown[];
    await old.close();
    clock.advance(10_000);
    await turns();
    assert.equal((await watching.presence("g")).length, 1, "it is listed meanwhile");
    const again = new MemoryChannel();
    movers[1].join(again.channel, memberships);
    await turns();
    clock.advance(60_000);
    await turns();
    clock.advance(60_000);
    await turns();
    assert.deepEqual(watched.told, ["enter ann"]);
    assert.equal((await watching.presence("g")).length, 1);
    again.leave();
    await until(() => watched.told.length === 2, "ann has left");
    assert.deepEqual(await watching.presence("g"), []);
    await Promise.all([watching.close(), next.close()]);
  });

  it("sees a member leave that no other process takes", async () => {
    const clock = new VirtualClock();
    const broker = new MemoryBackplane(clock);
    const make = (): ChannelStore => createChannelStore({ backplane: broker.share(), clock });
    const [watching, old] = [make(), make()] as [ChannelStore, ChannelStore];
    const watched = new Watched(watching);
    const member = join(old, "ann");
    await until(() => watched.told.length === 1, "ann is there");
    new StoresMover({ main: old as GroupStore }, (error) => assert.fail(String(error))).leave(member.channel);
    await old.close();
    for (let i = 0; i < 3; i++) {
      clock.advance(30_000);
      await turns();
    }
    assert.deepEqual(watched.told, ["enter ann", "leave ann"]);
    await watching.close();
  });
});
