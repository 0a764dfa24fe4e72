// A backplane of the application that fails in every way, or answers with wrong values: the failure is reported or rejects,
// members go on, and the process lives.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { GroupStore } from "../../src/group/group-store.ts";
import { StoresMover } from "../../src/group/moving.ts";
import { type Backplane, type ChannelStore, createChannelStore, MemoryBackplane } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { until } from "../support/wait.ts";

const THEN = "then";
const oops = (): never => {
  throw new Error("of the application");
};

/** Ways to fail of a method that should return a promise. */
const WAYS: Readonly<Record<string, () => unknown>> = {
  "throws an Error": oops,
  "throws undefined": () => {
    throw undefined;
  },
  rejects: () => Promise.reject(new Error("of the application")),
  "rejects with undefined": () => Promise.reject(undefined),
  "returns an object whose then throws": () => Object.fromEntries([[THEN, oops]]),
  "returns null": () => null,
  "resolves with NaN": () => Promise.resolve(Number.NaN),
  "resolves with an object": () => Promise.resolve({}),
  "resolves with a text of two lines": () => Promise.resolve("1\n2"),
};

/** Ways to fail of a method that should answer at once. */
const SYNC_WAYS: Readonly<Record<string, () => unknown>> = {
  ...WAYS,
  "returns NaN": () => Number.NaN,
  "returns a text": () => "1",
  "returns undefined": () => undefined,
};

interface Failing {
  readonly store: ChannelStore;
  readonly errors: unknown[];
}

function failing(methods: Partial<Record<keyof Backplane, () => unknown>>): Failing {
  const errors: unknown[] = [];
  const backplane = Object.assign(new MemoryBackplane(), methods) as unknown as Backplane;
  return { store: createChannelStore({ backplane, onError: (error) => errors.push(error) }), errors };
}

for (const [way, fail] of Object.entries(WAYS)) {
  describe(`a method of a backplane that ${way}`, () => {
    it("a failing publish makes publish reject with BACKPLANE_UNAVAILABLE", async () => {
      const { store } = failing({ publish: fail });
      await assert.rejects(store.publish("g", "x"), { code: "BACKPLANE_UNAVAILABLE" });
      await store.close();
    });

    it("a failing history makes history reject with BACKPLANE_UNAVAILABLE", async () => {
      const { store } = failing({ history: fail });
      await assert.rejects(store.history("g"), { code: "BACKPLANE_UNAVAILABLE" });
      await store.close();
    });

    it("a failing history is reported while a member catches up, and the store closes", async () => {
      const { store, errors } = failing({ history: fail });
      const member = new MemoryChannel();
      store.addToGroup("g", member.channel, undefined, { since: "5" });
      await until(() => errors.length > 0, "it is reported");
      await store.close();
    });

    it("a failing present makes presence reject with BACKPLANE_UNAVAILABLE", async () => {
      const { store } = failing({ present: fail });
      await assert.rejects(store.presence("g"), { code: "BACKPLANE_UNAVAILABLE" });
      await store.close();
    });

    for (const name of ["enter", "leave", "unsubscribe", "close"] as const) {
      it(`a failing ${name} does not keep the store from closing`, async () => {
        const { store } = failing({ [name]: fail });
        store.addToGroup("g", new MemoryChannel().channel, undefined, { presence: 1 });
        await turn();
        await store.close();
      });
    }

    it("a failing subscribe is reported, and the store closes", async () => {
      const { store, errors } = failing({ subscribe: fail });
      store.addToGroup("g", new MemoryChannel().channel);
      await until(() => errors.length > 0, "it is reported");
      await store.close();
    });
  });
}

for (const [way, fail] of Object.entries(SYNC_WAYS)) {
  describe(`a method of a backplane that must answer at once and ${way}`, () => {
    it("a failing compareIds is reported, and members receive published messages", async () => {
      const { store, errors } = failing({ compareIds: fail });
      const members = [new MemoryChannel(), new MemoryChannel()];
      store.addToGroup("g", members[0]!.channel);
      const { id } = await store.publish("g", "1");
      await store.publish("g", "2");
      store.addToGroup("g", members[1]!.channel, undefined, { since: id });
      await until(() => members[1]!.take().includes("2"), "it catches up");
      await store.publish("g", "3");
      await until(() => members[1]!.take().includes("3"), "it goes on");
      assert.deepEqual(members[0]!.take().slice(0, 3), ["1", "2", "3"]);
      assert.ok(errors.length > 0);
      await store.close();
    });

    it("a failing isId counts as false: the member is told of a reset", async () => {
      const { store } = failing({ isId: fail });
      store.addToGroup("g", new MemoryChannel().channel);
      const { id } = await store.publish("g", "1");
      const member = new MemoryChannel();
      store.addToGroup("g", member.channel, undefined, { since: id });
      await until(() => member.take().includes('{"group":"g","reset":true}'), "it is told");
      await store.close();
    });
  });
}

describe("a store over a backplane", () => {
  it("refuses an object without a method, and names the method", () => {
    const { history, ...rest } = Object.fromEntries(
      [
        "publish",
        "subscribe",
        "unsubscribe",
        "history",
        "compareIds",
        "isId",
        "enter",
        "leave",
        "present",
        "close",
      ].map((name) => [name, () => undefined]),
    );
    assert.equal(typeof history, "function");
    for (const backplane of [{}, rest]) {
      assert.throws(() => createChannelStore({ backplane } as never), { code: "BAD_OPTION", message: /no method/ });
    }
    for (const backplane of [null, 5, "redis"]) {
      assert.throws(() => createChannelStore({ backplane } as never), { code: "BAD_OPTION", message: /a backplane/ });
    }
    assert.throws(() => createChannelStore({ backplane: rest } as never), { message: /history/ });
  });

  it("reports malformed entries, and delivers the next one", async () => {
    const inner = new MemoryBackplane();
    let deliver: (entry: unknown) => void = () => assert.fail("nobody has subscribed");
    const errors: unknown[] = [];
    const backplane: Backplane = Object.assign(inner.share(), {
      subscribe(group: string, listener: Parameters<Backplane["subscribe"]>[1]) {
        deliver = (entry) => listener.entry(entry as never);
        return inner.subscribe(group, listener);
      },
    });
    const store = createChannelStore({ backplane, onError: (error) => errors.push((error as { code: string }).code) });
    const member = new MemoryChannel();
    store.addToGroup("g", member.channel);
    await store.publish("g", "1");
    for (const entry of [undefined, null, 5, {}, { id: 5 }, { id: "99", payload: "text" }, { id: "" }]) deliver(entry);
    await store.publish("g", "2");
    await until(() => member.take().join() !== "", "something is heard");
    assert.deepEqual(
      errors,
      Array.from({ length: 7 }, () => "BAD_DATA"),
    );
    await store.close();
  });

  it("keeps its own copy of bytes: later writes into them change no history", async () => {
    for (const backplane of [undefined, new MemoryBackplane()]) {
      const store = createChannelStore(backplane === undefined ? {} : { backplane });
      const bytes = Buffer.from("before");
      await store.publish("g", bytes);
      bytes.fill("x");
      const [first] = (await store.history("g")).messages;
      assert.equal(Buffer.from(first!.data as Uint8Array).toString(), "before");
      (first!.data as Uint8Array).fill(0);
      const [again] = (await store.history("g")).messages;
      assert.equal(Buffer.from(again!.data as Uint8Array).toString(), "before");
      await store.close();
    }
  });

  it("closes while its backplane answers nothing", async () => {
    const never = (): Promise<never> => new Promise(() => {});
    const timers = new Set<() => void>();
    const clock = {
      now: () => 0,
      setTimer(fn: () => void) {
        timers.add(fn);
        return fn;
      },
      clearTimer: (timer: unknown) => timers.delete(timer as () => void),
    };
    const silent = { subscribe: never, unsubscribe: never, enter: never, leave: never, close: never, history: never };
    const backplane = Object.assign(new MemoryBackplane(), silent) as Backplane;
    const store = createChannelStore({ backplane, clock, onError() {} });
    store.addToGroup("g", new MemoryChannel().channel, undefined, { presence: 1, since: "" });
    let isClosed = false;
    const closing = store.close().then(() => {
      isClosed = true;
    });
    while (!isClosed) {
      for (const fire of [...timers]) {
        timers.delete(fire);
        fire();
      }
      await turn();
    }
    await closing;
    assert.equal(timers.size, 0, "no timer is left");
  });
});

for (const [way, fail] of Object.entries(WAYS)) {
  describe(`an optional method of a backplane that ${way}`, () => {
    for (const method of ["readRecord", "swapRecord", "listRecords"] as const) {
      it(`${method}: it is reported, members go on, and the store closes`, async () => {
        const clock = new VirtualClock();
        const errors: unknown[] = [];
        const backplane = Object.assign(new MemoryBackplane(clock), { [method]: fail }) as unknown as Backplane;
        const store = createChannelStore({
          backplane,
          clock,
          onError: (error) => errors.push(error),
          onGroupStart: () => {},
        });
        const member = new MemoryChannel();
        store.addToGroup("g", member.channel);
        for (let i = 0; i < 20 && errors.length === 0; i++) {
          clock.advance(1000);
          await turn();
        }
        assert.ok(errors.length > 0);
        await store.publish("g", "x");
        await until(() => member.sent.length === 1, "the member has it");
        let isClosed = false;
        const closing = store.close().then(() => {
          isClosed = true;
        });
        while (!isClosed) {
          clock.advance(1000);
          await turn();
        }
        await closing;
      });
    }
  });
}

for (const [way, fail] of Object.entries(SYNC_WAYS)) {
  it(`a release of a backplane that ${way} lets a member move`, async () => {
    const { store } = failing({ release: fail });
    const member = new MemoryChannel();
    store.addToGroup("g", member.channel, undefined, { presence: "ann" });
    const errors: unknown[] = [];
    const [moved] = new StoresMover({ main: store as GroupStore }, (error) => errors.push(error)).leave(member.channel);
    assert.equal(moved?.present?.info, '"ann"');
    assert.deepEqual(errors, []);
    await store.close();
  });
}
