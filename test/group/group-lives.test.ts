// The hooks for a group's first and last member in the whole service.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GroupStore } from "../../src/group/group-store.ts";
import { StoresMover } from "../../src/group/moving.ts";
import {
  burying,
  confirming,
  decodeRecord,
  encodeRecord,
  entering,
  eventsOf,
  leaving,
} from "../../src/group/stream/group-record.ts";
import { type Backplane, type ChannelStore, createChannelStore, MemoryBackplane } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { chance, LateBackplane, late } from "../support/late-backplane.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { until } from "../support/wait.ts";

async function turns(): Promise<void> {
  for (let i = 0; i < 60; i++) await new Promise(setImmediate);
}

interface Process {
  readonly name: string;
  readonly store: ChannelStore;
  readonly backplane: Mortal;
}

/** A process that can be cut off for ever: then it does not answer, and is not listed. */
class Mortal extends LateBackplane {
  readonly ids = new Set<string>();
  readonly gone: Set<string>;
  isCut = false;

  constructor(inner: Backplane, random: () => number, gone: Set<string>, failures = 0) {
    super(inner, random, failures);
    this.gone = gone;
    const { enter, present } = this;
    this.enter = async (group, member) => {
      if (this.isCut) throw new Error("cut off");
      if (group.endsWith("processes")) this.ids.add(member.key);
      await enter(group, member);
    };
    this.present = async (group) => {
      if (this.isCut) throw new Error("cut off");
      return (await present(group)).filter(({ key }) => !gone.has(key));
    };
  }

  override async swapRecord(...args: Parameters<LateBackplane["swapRecord"]>): Promise<boolean> {
    if (this.isCut) throw new Error("cut off");
    return super.swapRecord(...args);
  }

  override async readRecord(name: string): Promise<Uint8Array | undefined> {
    if (this.isCut) throw new Error("cut off");
    return super.readRecord(name);
  }

  die(): void {
    this.isCut = true;
    for (const id of this.ids) this.gone.add(id);
  }

  /** It was only suspended, or could not reach the broker. */
  comeBack(): void {
    this.isCut = false;
    for (const id of this.ids) this.gone.delete(id);
  }
}

function service(options: { readonly seed?: number; readonly failures?: number; readonly clock?: VirtualClock } = {}): {
  readonly told: string[];
  readonly broker: MemoryBackplane;
  start(name: string): Process;
} {
  const { seed = 1, failures = 0, clock } = options;
  const random = chance(seed);
  const broker = new MemoryBackplane(clock);
  const gone = new Set<string>();
  const told: string[] = [];
  return {
    told,
    broker,
    start(name) {
      const backplane = new Mortal(broker.share(), random, gone, failures);
      const store = createChannelStore({
        backplane,
        clock,
        onGroupStart: (group) => told.push(`${name} start ${group}`),
        onGroupEnd: (group) => told.push(`${name} end ${group}`),
        onError: () => {},
      });
      return { name, store, backplane };
    },
  };
}

function join(store: ChannelStore, group = "g"): MemoryChannel {
  const member = new MemoryChannel();
  store.addToGroup(group, member.channel);
  return member;
}

describe("onGroupStart and onGroupEnd without a backplane", () => {
  it("tell of the first member and of the last, once for all changes of a turn", async () => {
    const told: string[] = [];
    const store = createChannelStore({
      onGroupStart: (group) => told.push(`start ${group}`),
      onGroupEnd: (group) => told.push(`end ${group}`),
    });
    const [a, b] = [join(store), join(store)];
    await turns();
    store.removeFromGroup("g", a.channel);
    store.removeFromGroup("g", b.channel);
    store.addToGroup("g", a.channel);
    await turns();
    assert.deepEqual(told, ["start g"]);
    join(store, "h");
    a.leave();
    await turns();
    assert.deepEqual(told, ["start g", "start h", "end g"]);
    await store.close();
    assert.deepEqual(told, ["start g", "start h", "end g", "end h"]);
  });

  it("report a callback that throws", async () => {
    const errors: unknown[] = [];
    const store = createChannelStore({
      onGroupStart: () => {
        throw new Error("mine");
      },
      onError: (error, { group }) => errors.push([String(error), group]),
    });
    join(store);
    await turns();
    assert.deepEqual(errors, [["Error: mine", "g"]]);
  });
});

describe("onGroupStart and onGroupEnd over a backplane", () => {
  it("need a backplane with records", () => {
    const { readRecord: _, ...others } = Object.getOwnPropertyDescriptors(MemoryBackplane.prototype);
    const backplane = Object.create(Object.prototype, others) as Backplane;
    assert.throws(() => createChannelStore({ backplane, onGroupEnd: () => {} }), {
      code: "BAD_OPTION",
      message: /readRecord/,
    });
  });

  it("tell exactly one process of each change, and leave no record behind", async () => {
    const { told, broker, start } = service();
    const [a, b] = [start("a"), start("b")];
    const first = join(a.store);
    await until(() => told.length === 1, "it has begun");
    const second = join(b.store);
    await turns();
    first.leave();
    await turns();
    assert.deepEqual(told, ["a start g"]);
    second.leave();
    await until(() => told.length === 2, "it has ended");
    join(a.store);
    await until(() => told.length === 3, "it has begun again");
    assert.deepEqual(told, ["a start g", "b end g", "a start g"]);
    await a.store.close();
    await b.store.close();
    assert.deepEqual(told.slice(3), ["a end g"]);
    assert.deepEqual((await broker.listRecords()).records, []);
  });

  it("tell of every beginning and end in the records once, at random, also when answers of the broker are lost", async (t) => {
    // The pauses of a store do not keep a process alive.
    const alive = setInterval(() => {}, 1000);
    t.after(() => clearInterval(alive));
    for (let seed = 1; seed <= 12; seed++) {
      const { told, broker, start } = service({ seed: seed * 7919, failures: seed % 3 === 0 ? 0.05 : 0 });
      const random = chance(seed * 104_729);
      // Counts what was written, behind all failures.
      const written = { start: 0, end: 0 };
      const { swapRecord } = MemoryBackplane.prototype;
      MemoryBackplane.prototype.swapRecord = async function (name, before, after) {
        const isDone = await swapRecord.call(this, name, before, after);
        if (isDone && name.startsWith("g")) {
          const [had, has] = [before, after].map((bytes) => decodeRecord(bytes)!.members.length > 0);
          if (had !== has) written[has ? "start" : "end"] += 1;
        }
        return isDone;
      };
      try {
        const processes = ["a", "b", "c"].map(start);
        const members: MemoryChannel[] = [];
        const groups = ["g", "h"];
        for (let i = 0; i < 120; i++) {
          await late(random);
          if (random() < 0.45 || members.length === 0) {
            members.push(join(processes[Math.floor(random() * 3)]!.store, groups[Math.floor(random() * 2)]));
          } else members.splice(Math.floor(random() * members.length), 1)[0]!.leave();
        }
        await Promise.all(processes.map(({ store }) => store.close()));
        const count = (what: string): number => told.filter((text) => text.includes(` ${what} `)).length;
        assert.deepEqual({ start: count("start"), end: count("end") }, written, `seed ${seed}`);
        assert.equal(written.start, written.end);
        assert.deepEqual((await broker.listRecords()).records, []);
      } finally {
        MemoryBackplane.prototype.swapRecord = swapRecord;
      }
    }
  });

  it("tell one living process of the end of a group whose last members were in a process that has died", async () => {
    const clock = new VirtualClock();
    const { told, broker, start } = service({ clock });
    const [a, b, c] = [start("a"), start("b"), start("c")] as [Process, Process, Process];
    clock.advance(0);
    await turns();
    join(a.store);
    join(a.store, "shared");
    join(b.store, "shared");
    await until(() => told.length === 2, "both have begun");
    clock.advance(5000);
    await turns();
    a.backplane.die();
    for (let i = 0; i < 2; i++) {
      clock.advance(5000);
      await turns();
    }
    assert.equal(told.length, 2, "it may only be slow");
    for (let i = 0; i < 2; i++) {
      clock.advance(5000);
      await turns();
    }
    const ends = told.slice(2);
    assert.equal(ends.length, 1);
    assert.match(ends[0]!, /^[bc] end g$/);
    const names = (await broker.listRecords()).records.map(({ name }) => name[0]).toSorted();
    assert.deepEqual(names, ["g", "p", "p"]);
    await Promise.all([b.store.close(), c.store.close()]);
  });

  it("tell the next process that starts, if none was alive", async () => {
    const clock = new VirtualClock();
    const { told, start } = service({ clock });
    const a = start("a");
    join(a.store);
    clock.advance(0);
    await until(() => told.length === 1, "it has begun");
    a.backplane.die();
    const b = start("b");
    for (let i = 0; i < 5; i++) {
      clock.advance(5000);
      await turns();
    }
    assert.deepEqual(told, ["a start g", "b end g"]);
    await b.store.close();
  });

  it("begin a group again whose process was only suspended, and was declared dead", async () => {
    const clock = new VirtualClock();
    const { told, start } = service({ clock });
    const [a, b] = [start("a"), start("b")];
    const member = join(a.store);
    clock.advance(0);
    await until(() => told.length === 1, "it has begun");
    clock.advance(5000);
    await turns();
    a.backplane.die();
    for (let i = 0; i < 5; i++) {
      clock.advance(5000);
      await turns();
    }
    assert.deepEqual(told, ["a start g", "b end g"]);
    a.backplane.comeBack();
    for (let i = 0; i < 3; i++) {
      clock.advance(8000);
      await turns();
    }
    assert.deepEqual(told.slice(2), ["a start g"]);
    member.leave();
    clock.advance(10_000);
    await until(() => told.length === 4, "it has ended");
    assert.deepEqual(told.slice(3), ["a end g"]);
    await Promise.all([a.store.close(), b.store.close()]);
  });

  it("do not tell the end of a group after its broker was emptied, until the other processes have entered it again", async () => {
    const clock = new VirtualClock();
    const { told, broker, start } = service({ clock });
    const [a, b] = [start("a"), start("b")] as [Process, Process];
    const members = [join(a.store), join(b.store)];
    clock.advance(0);
    await until(() => told.length === 1, "it has begun");
    await turns();
    for (const { name, value } of (await broker.listRecords()).records) await broker.swapRecord(name, value, undefined);
    // The process a notices it first.
    b.backplane.isCut = true;
    clock.advance(5000);
    await until(() => told.length === 2, "a has entered it again");
    b.backplane.isCut = false;
    members[0]?.leave();
    await turns();
    for (let n = 0; n < 4; n++) {
      clock.advance(5000);
      await turns();
    }
    const began = told.slice();
    assert.match(told.join(), /^[ab] start g,a start g$/, "b has members");
    members[1]?.leave();
    clock.advance(5000);
    await until(() => told.length === 3, "it has ended");
    assert.deepEqual(told, [...began, "b end g"]);
    await Promise.all([a.store.close(), b.store.close()]);
    assert.deepEqual((await broker.listRecords()).records, []);
  });

  it("do not tell of a group whose last member moves to another process", async () => {
    const clock = new VirtualClock();
    const { told, broker, start } = service({ clock });
    const [a, b] = [start("a"), start("b")] as [Process, Process];
    const member = join(a.store);
    clock.advance(0);
    await until(() => told.length === 1, "it has begun");
    const movers = [a, b].map(
      ({ store }) => new StoresMover({ main: store as GroupStore }, (error) => assert.fail(String(error))),
    );
    const memberships = movers[0]!.leave(member.channel);
    await a.store.close();
    const again = new MemoryChannel();
    movers[1]!.join(again.channel, memberships);
    await turns();
    for (let i = 0; i < 12; i++) {
      clock.advance(10_000);
      await turns();
    }
    assert.deepEqual(told, ["a start g"]);
    again.leave();
    await until(() => told.length === 2, "it has ended");
    assert.deepEqual(told, ["a start g", "b end g"]);
    await b.store.close();
    assert.deepEqual((await broker.listRecords()).records, []);
  });
});

describe("the record of a group", () => {
  const empty = decodeRecord(undefined)!;

  it("has an event for the process that changes whether there are members, until it is told", () => {
    const one = entering("p", new Set(), "p 1")(empty)!;
    assert.deepEqual([one.members, eventsOf(one, "p 1")], [["p"], ["start"]]);
    assert.equal(entering("p", new Set(), "p 2")(one), undefined);
    const two = entering("q", new Set(), "q 1")(one)!;
    assert.deepEqual(eventsOf(two, "q 1"), []);
    const told = confirming("p 1")(two)!;
    assert.deepEqual(told.untold, []);
    assert.equal(confirming("p 1")(told), undefined);
    const last = leaving(new Set(["p"]), "p 3")(leaving(new Set(["q"]), "q 2")(told)!)!;
    assert.deepEqual(eventsOf(last, "p 3"), ["end"]);
    assert.equal(encodeRecord(confirming("p 3")(last)!), undefined);
  });

  it("gives what the dead have not told to the process that buries them", () => {
    const one = entering("p", new Set(), "p 1")(empty)!;
    const buried = burying(new Set(["p"]), "q 7")(one)!;
    assert.deepEqual([buried.members, eventsOf(buried, "q 7")], [[], ["start", "end"]]);
    assert.equal(burying(new Set(["p"]), "q 8")(buried), undefined);
  });

  it("does not begin or end when a process goes on under another id", () => {
    const one = confirming("p 1")(entering("p", new Set(), "p 1")(empty)!)!;
    const renamed = entering("q", new Set(["p"]), "q 1")(one)!;
    assert.deepEqual([renamed.members, renamed.untold], [["q"], []]);
  });

  it("is read as it was written; other bytes are undefined", () => {
    const one = entering("p", new Set(), "p 1")(empty)!;
    assert.deepEqual(decodeRecord(encodeRecord(one)), one);
    for (const text of ["", "{", "[]", "[[1],[]]", '[["p"],[["p 1","x"]]]', "null", "1"]) {
      assert.equal(decodeRecord(Buffer.from(text)), undefined, text);
    }
  });
});
