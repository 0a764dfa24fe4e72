// A state, then exactly what follows it: members join while others publish, over backplanes that are late, fail and lose messages.
// Each member keeps a copy of the state, and checks at each message that it is the next one.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type Backplane,
  type BackplaneListener,
  type ChannelStore,
  createChannelStore,
  type JoinOptions,
  json,
  MemoryBackplane,
  type Snapshot,
  type SnapshotContext,
} from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { chance, LateBackplane, late } from "../support/late-backplane.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { deferred, turn, until } from "../support/wait.ts";

/** A state that is a number: each message raises it by one, and says the number that it has then. */
interface Source {
  value: number;
  /** Id of the message that has made it so. */
  id: string;
}

interface Update {
  readonly state?: number;
  readonly next?: number;
}

/** A client: it applies what it receives, and complains of a gap or a duplicate. */
class Copy {
  readonly member: MemoryChannel = new MemoryChannel();
  value: number | undefined;
  readonly wrong: string[] = [];
  states = 0;
  resets = 0;

  constructor() {
    this.member.onSent = ({ body }) => this.#apply(JSON.parse(String(body)) as Update & { readonly reset?: true });
  }

  #apply({ state, next, reset }: Update & { readonly reset?: true }): void {
    if (reset === true) this.resets += 1;
    else if (state !== undefined) {
      this.states += 1;
      this.value = state;
    } else {
      if (this.value === undefined) this.wrong.push(`${next} without a state`);
      else if (next !== this.value + 1) this.wrong.push(`${next} after ${this.value}`);
      this.value = next;
    }
  }
}

const FAILS = new Error("the database is away");

/** Changes and reads a state at random moments while members come and go. */
async function run(stores: readonly ChannelStore[], random: () => number, changes: number): Promise<Copy[]> {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!;
  const source: Source = { value: 0, id: await stores[0]!.lastId("g") };
  const copies: Copy[] = [];
  /** The message first, and then state and id in one step, as in a transaction: one change after the other. */
  const change = async (): Promise<void> => {
    for (let n = 1; n <= changes; n++) {
      const { id } = await stores[0]!.publish("g", json({ next: n }));
      await late(random);
      Object.assign(source, { value: n, id });
      if (random() < 0.4) await late(random);
    }
  };
  const snapshot = async (): Promise<Snapshot> => {
    await late(random);
    if (random() < 0.05) throw FAILS;
    const { value, id } = source;
    await late(random);
    return { message: json({ state: value }), since: id };
  };
  const changing = change();
  while (source.value < changes) {
    await late(random);
    if (random() < 0.3) await turn();
    const copy = new Copy();
    pick(stores).addToGroup("g", copy.member.channel, undefined, { snapshot });
    if (random() < 0.2) copy.member.leave();
    else copies.push(copy);
  }
  await changing;
  await until(() => copies.every(({ value }) => value === changes), "each copy has the last state");
  for (let turns = 0; turns < 20; turns++) await turn();
  for (const copy of copies) {
    assert.deepEqual(copy.wrong, []);
    assert.equal(copy.value, changes);
    copy.member.leave();
  }
  return copies;
}

describe("joining with a snapshot", () => {
  it("gives each member the state, and then each later message once, whatever is published meanwhile", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const told: unknown[] = [];
      const store = createChannelStore({ onError: (error) => told.push(error) });
      await run([store], chance(seed * 7919), 200);
      assert.ok(told.every((error) => error === FAILS));
    }
  });

  it("does the same with a history that is shorter than a snapshot takes", async () => {
    let members = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const told: unknown[] = [];
      const store = createChannelStore({ history: { size: 3 }, onError: (error) => told.push(error) });
      members += (await run([store], chance(seed * 104_729), 300)).length;
    }
    // How many come while the state changes depends on the runtime's timers: some 500 on Node, 70 on Deno.
    assert.ok(members > 30, `${members} members`);
  });

  it("does the same over a backplane that is late with everything", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = chance(seed * 15_485_863);
      const broker = new MemoryBackplane();
      const stores = [0, 1, 2].map(() =>
        createChannelStore({
          history: { size: 5 },
          backplane: new LateBackplane(broker.share(), random),
          onError: (error) => assert.equal(error, FAILS),
        }),
      );
      await run(stores, random, 150);
      await Promise.all(stores.map((store) => store.close()));
    }
  });

  it("gives a state with lastId, too, if the state is changed first: nothing is missing, and what is double is known", async () => {
    const random = chance(4_256_233);
    const broker = new MemoryBackplane();
    const stores = [0, 1].map(() => createChannelStore({ backplane: new LateBackplane(broker.share(), random) }));
    let value = 0;
    const members: { readonly values: number[]; readonly channel: MemoryChannel }[] = [];
    const publishing = (async () => {
      for (let n = 1; n <= 300; n++) {
        value = n;
        await late(random);
        await stores[0]!.publish("g", json({ next: n }));
      }
    })();
    while (value < 300) {
      await late(random);
      await turn();
      const values: number[] = [];
      const channel = new MemoryChannel();
      channel.onSent = ({ body }) => {
        const { state, next } = JSON.parse(String(body)) as Update;
        // A message that the state contains has a number that it has passed.
        const last = values.at(-1);
        if (state !== undefined) values.push(state);
        else if (last === undefined || next! > last) values.push(next!);
      };
      members.push({ values, channel });
      stores[members.length % 2]!.addToGroup("g", channel.channel, undefined, {
        snapshot: async ({ lastId }) => {
          await late(random);
          const message = json({ state: value });
          await late(random);
          return { message, since: lastId };
        },
      });
    }
    await publishing;
    await until(() => members.every(({ values }) => values.at(-1) === 300), "each member has the last state");
    for (const { values } of members) {
      const first = values[0]!;
      assert.deepEqual(
        values,
        Array.from({ length: 300 - first + 1 }, (_, i) => first + i),
      );
    }
    await Promise.all(stores.map((store) => store.close()));
  });
});

/** A store whose broker loses messages when the test says so. */
function losing(t: TestContext): { readonly store: ChannelStore; lose(): void } {
  const listeners: BackplaneListener[] = [];
  const inner = new MemoryBackplane();
  let isLost = false;
  const methods = Object.getOwnPropertyNames(MemoryBackplane.prototype).filter((name) => name !== "constructor");
  const bound = Object.fromEntries(
    methods.map((name) => [
      name,
      (...args: unknown[]) => (inner as never as Record<string, (...all: unknown[]) => unknown>)[name]!(...args),
    ]),
  ) as unknown as Backplane;
  const store = createChannelStore({
    backplane: {
      ...bound,
      subscribe(group, listener) {
        listeners.push(listener);
        return inner.subscribe(group, {
          entry: (entry) => (isLost ? undefined : listener.entry(entry)),
          gap: () => listener.gap(),
        });
      },
      async history(group, since) {
        const found = await inner.history(group, since);
        return since === undefined ? found : { ...found, reset: found.reset || isLost };
      },
    },
  });
  t.after(() => store.close());
  return {
    store,
    lose() {
      isLost = true;
      void inner.publish("g", new Uint8Array(1), { size: 0, ttlMs: 0 });
      isLost = false;
      for (const listener of listeners) listener.gap();
    },
  };
}

/** A state that the test changes, with its id. */
function counting(): { value: number; id: string; calls: SnapshotContext[]; options: JoinOptions } {
  const source = {
    value: 0,
    id: "",
    calls: [] as SnapshotContext[],
    options: {
      snapshot: async (context: SnapshotContext) => {
        source.calls.push(context);
        await turn();
        return { message: json({ state: source.value }), since: context.lastId };
      },
    },
  };
  return source;
}

describe("a member with a snapshot", () => {
  it("gets a new state, and is told so before it, when messages are lost", async (t) => {
    const { store, lose } = losing(t);
    const source = counting();
    const copy = new Copy();
    store.addToGroup("g", copy.member.channel, undefined, source.options);
    await until(() => copy.value === 0, "it has the first state");
    assert.equal(copy.resets, 0);
    source.value = 5;
    lose();
    await until(() => copy.value === 5, "it has the second state");
    assert.equal(copy.resets, 1);
    assert.deepEqual(
      source.calls.map(({ isReset }) => isReset),
      [false, true],
    );
    source.value = 6;
    await store.publish("g", json({ next: 6 }));
    await until(() => copy.value === 6, "it has the message after it");
    assert.deepEqual(copy.wrong, []);
  });

  it("gets a new state at once in a group that never had a message, when the broker was emptied", async (t) => {
    // Time stands still: nothing may wait for a replica that has nothing to catch up with.
    const clock = new VirtualClock();
    const backplane: Backplane = new MemoryBackplane(clock);
    const { subscribe } = backplane;
    const listeners: BackplaneListener[] = [];
    backplane.subscribe = (group, listener) => {
      listeners.push(listener);
      return subscribe.call(backplane, group, listener);
    };
    const store = createChannelStore({ backplane, clock });
    t.after(() => store.close());
    const source = counting();
    const copy = new Copy();
    store.addToGroup("g", copy.member.channel, undefined, source.options);
    await until(() => copy.states === 1, "it has the first state");
    listeners[0]!.gap();
    await until(() => copy.states === 2, "it has the second state");
    await store.publish("g", json({ next: 1 }));
    await until(() => copy.value === 1, "it has the message after it");
    assert.deepEqual([copy.wrong, copy.resets], [[], 1]);
  });

  it("is told with onReset, if it has one", async (t) => {
    const { store, lose } = losing(t);
    const source = counting();
    const copy = new Copy();
    const told: unknown[] = [];
    store.addToGroup("g", copy.member.channel, undefined, { ...source.options, onReset: () => told.push(copy.states) });
    await until(() => copy.states === 1, "it has the first state");
    lose();
    await until(() => copy.states === 2, "it has the second state");
    assert.deepEqual(told, [1]);
    assert.equal(copy.resets, 0);
  });

  it("gets the messages after a since that is kept, and a state only after one that is not", async () => {
    const store = createChannelStore({ history: { size: 2 } });
    const source = counting();
    const ids: string[] = [];
    for (source.value = 1; source.value <= 5; source.value++) {
      ids.push((await store.publish("g", json({ next: source.value }))).id);
    }
    source.value = 5;
    const near = new MemoryChannel("sse");
    store.addToGroup("g", near.channel, undefined, { ...source.options, since: ids[3]! });
    assert.deepEqual(near.take(), ['{"next":5}']);
    assert.equal(source.calls.length, 0);
    const far = new MemoryChannel("sse");
    store.addToGroup("g", far.channel, undefined, { ...source.options, since: ids[0]! });
    await until(() => far.sent.length === 2, "it has a state");
    const [reset, state] = far.sent;
    assert.equal(reset!.event, "reset");
    assert.deepEqual([state!.body, state!.id], ['{"state":5}', ids[4]]);
  });

  it("has its state with the id after which the messages follow: an event source comes back there", async () => {
    const store = createChannelStore();
    const { id } = await store.publish("g", "one");
    const plain = new MemoryChannel("sse");
    const withIds = new MemoryChannel();
    const snapshot = (): Snapshot => ({ message: "state", since: id });
    store.addToGroup("g", plain.channel, undefined, { snapshot });
    store.addToGroup("g", withIds.channel, undefined, { snapshot, ids: true });
    await until(() => plain.sent.length + withIds.sent.length === 2, "both have it");
    assert.equal(plain.sent[0]!.id, id);
    assert.deepEqual(JSON.parse(String(withIds.sent[0]!.body)), { group: "g", id, data: "state" });
  });

  it("gets a message that it has sent itself while its state was read: the state does not contain it", async () => {
    const store = createChannelStore();
    const member = new MemoryChannel();
    const answer = deferred<Snapshot>();
    let since = "";
    store.addToGroup("g", member.channel, undefined, {
      snapshot: ({ lastId }) => {
        since = lastId;
        return answer.promise;
      },
    });
    await until(() => since !== "", "it is asked");
    await store.publish("g", "own", { except: member.channel });
    answer.resolve({ message: "state", since });
    await until(() => member.sent.length === 2, "it has both");
    await store.publish("g", "later", { except: member.channel });
    assert.deepEqual(member.take(), ["state", "own"]);
  });

  it("gets a message that it has sent itself while the messages after its state are on their way", async (t) => {
    const broker = new MemoryBackplane();
    const backplane: Backplane = broker.share();
    const answer = deferred();
    let isRead = false;
    const { history } = backplane;
    backplane.history = async (...args) => {
      const found = await history.apply(backplane, args);
      isRead = true;
      await answer.promise;
      return found;
    };
    const { id } = await createChannelStore({ backplane: broker.share() }).publish("g", "in the state");
    const store = createChannelStore({ backplane });
    t.after(() => store.close());
    await createChannelStore({ backplane: broker.share() }).publish("g", "not in the state");
    const member = new MemoryChannel();
    store.addToGroup("g", member.channel, undefined, { snapshot: () => ({ message: "state", since: id }) });
    await until(() => isRead, "the history is read");
    await store.publish("g", "own", { except: member.channel });
    answer.resolve();
    await until(() => member.sent.length === 3, "it has all");
    assert.deepEqual(member.take(), ["state", "not in the state", "own"]);
  });

  for (const [what, history] of [
    ["by number", { size: 0 }],
    ["by age", { ttlMs: 1000 }],
    ["by memory", { maxBytes: 10 }],
  ] as const) {
    it(`is asked again when what was published meanwhile is not kept at all (${what})`, async () => {
      const clock = new VirtualClock();
      const store = createChannelStore({ clock, history });
      const copy = new Copy();
      const answer = deferred<Snapshot>();
      let since = "";
      let calls = 0;
      const snapshot = ({ lastId }: SnapshotContext): Snapshot | Promise<Snapshot> => {
        since = lastId;
        calls += 1;
        return calls === 1 ? answer.promise : { message: json({ state: 1 }), since: lastId };
      };
      store.addToGroup("g", copy.member.channel, undefined, { snapshot });
      await until(() => calls === 1, "it is asked");
      await store.publish("g", json({ next: 1 }));
      await clock.advance(2000);
      answer.resolve({ message: json({ state: 0 }), since });
      await turn();
      await clock.advance(250);
      await until(() => copy.states === 1, "it has a state");
      assert.equal(copy.value, 1);
    });
  }

  it("has the state that is in the result now, and with the group's name, if the application keeps one object for all", async () => {
    const store = createChannelStore();
    const kept = { message: json({ state: 0 }), since: "" };
    const take = async (group: string): Promise<unknown> => {
      const member = new MemoryChannel();
      store.addToGroup(group, member.channel, undefined, { snapshot: () => kept, ids: true });
      await until(() => member.sent.length === 1, "it has its state");
      return JSON.parse(String(member.take()[0]));
    };
    assert.deepEqual(await take("a"), { group: "a", id: "", data: { state: 0 } });
    assert.deepEqual(await take("b"), { group: "b", id: "", data: { state: 0 } });
    const { id } = await store.publish("a", json({ next: 1 }));
    Object.assign(kept, { message: json({ state: 1 }), since: id });
    assert.deepEqual(await take("a"), { group: "a", id, data: { state: 1 } });
  });

  it("gets a message of two groups after the state of the second, which does not contain it", async () => {
    const store = createChannelStore();
    const member = new MemoryChannel();
    store.addToGroup("a", member.channel);
    const answer = deferred<Snapshot>();
    let since = "";
    const snapshot = ({ lastId }: SnapshotContext): Promise<Snapshot> => {
      since = lastId;
      return answer.promise;
    };
    store.addToGroup("b", member.channel, undefined, { snapshot });
    await until(() => since !== "", "it is asked");
    await store.publish(["a", "b"], "both");
    assert.deepEqual(member.take(), ["both"]);
    answer.resolve({ message: "state of b", since });
    await until(() => member.sent.length === 2, "it has both");
    assert.deepEqual(member.take(), ["state of b", "both"]);
    await store.publish(["a", "b"], "again");
    assert.deepEqual(member.take(), ["again"]);
  });

  it("gets the state of a quiet group whose last message is not kept any more, and then what is published", async () => {
    const broker = new MemoryBackplane();
    const writer = createChannelStore({ backplane: broker, history: { size: 2 } });
    const { id } = await writer.publish("g", json({ next: 1 }));
    for (let n = 0; n < 3; n++) await writer.publish("g", json({ reset: true }));
    const copy = new Copy();
    let calls = 0;
    const snapshot = (): Snapshot => {
      calls += 1;
      return { message: json({ state: 1 }), since: id };
    };
    writer.addToGroup("g", copy.member.channel, undefined, { snapshot });
    await until(() => copy.resets === 2, "it has all that is kept after the state");
    assert.equal(calls, 2, "asked a second time, because messages are missing");
    await writer.publish("g", json({ next: 2 }));
    await until(() => copy.value === 2, "it has the next one");
    assert.deepEqual(copy.wrong, []);
    await writer.close();
  });

  it("is asked again after a pause when its function throws, rejects or gives something else, and misses nothing", async () => {
    const clock = new VirtualClock();
    const told: unknown[] = [];
    const store = createChannelStore({
      clock,
      onError: (error, { channel, group }) => told.push(error, channel, group),
    });
    const results: (() => unknown)[] = [
      () => {
        throw FAILS;
      },
      () => Promise.reject(FAILS),
      () => undefined,
      () => ({ message: "x" }),
      () => ({ message: undefined, since: "" }),
      () => ({ message: new ReadableStream(), since: "" }),
    ];
    const attempts: number[] = [];
    const copy = new Copy();
    const snapshot = ({ lastId, attempt }: SnapshotContext): Snapshot => {
      attempts.push(attempt);
      const result = results[attempt];
      return result === undefined ? { message: json({ state: 0 }), since: lastId } : (result() as Snapshot);
    };
    store.addToGroup("g", copy.member.channel, undefined, { snapshot });
    for (let n = 0; n < results.length; n++) {
      await until(() => told.length === 3 * (n + 1), `attempt ${n} has failed`);
      await turn();
      await clock.advance(8000);
    }
    await until(() => copy.states === 1, "it has its state");
    assert.deepEqual(attempts, [0, 1, 2, 3, 4, 5, 6]);
    const codes = told.filter((_, i) => i % 3 === 0).map((error) => (error as { code?: string }).code);
    assert.deepEqual(codes, [undefined, undefined, "SNAPSHOT_FAILED", "SNAPSHOT_FAILED", "BAD_DATA", "BAD_DATA"]);
    assert.deepEqual(told.slice(1, 3), [copy.member.channel, "g"]);
    await store.publish("g", json({ next: 1 }));
    assert.equal(copy.value, 1);
  });

  it("is asked again when its function has not ended in time, and not before", async () => {
    const clock = new VirtualClock();
    const told: { readonly code?: string }[] = [];
    const store = createChannelStore({ clock, onError: (error) => told.push(error as never) });
    const signals: AbortSignal[] = [];
    const copy = new Copy();
    const snapshot = ({ lastId, attempt, signal }: SnapshotContext): Snapshot | Promise<never> => {
      signals.push(signal);
      return attempt === 0 ? new Promise(() => {}) : { message: json({ state: 0 }), since: lastId };
    };
    store.addToGroup("g", copy.member.channel, undefined, { snapshot, snapshotTimeoutMs: 500 });
    await until(() => signals.length === 1, "it is asked");
    await clock.advance(499);
    assert.deepEqual([signals[0]!.aborted, told.length], [false, 0]);
    await clock.advance(1);
    assert.deepEqual([signals[0]!.aborted, told[0]!.code], [true, "SNAPSHOT_FAILED"]);
    await turn();
    await clock.advance(250);
    await until(() => copy.states === 1, "it has its state");
  });

  it("that leaves ends the asking, and nothing is sent to it", async () => {
    const store = createChannelStore();
    const member = new MemoryChannel();
    const answer = deferred<Snapshot>();
    const contexts: SnapshotContext[] = [];
    const snapshot = (context: SnapshotContext): Promise<Snapshot> => {
      contexts.push(context);
      return answer.promise;
    };
    for (const leave of [() => store.removeFromGroup("g", member.channel), () => member.leave()]) {
      store.addToGroup("g", member.channel, undefined, { snapshot });
      await until(() => contexts.length === 1, "it is asked");
      leave();
      await turn();
      assert.equal(contexts.pop()!.signal.aborted, true);
    }
    answer.resolve({ message: "late", since: "" });
    await turn();
    assert.deepEqual(member.take(), []);
  });

  it("is disconnected at once while its state is read", async () => {
    const store = createChannelStore();
    const member = new MemoryChannel();
    let asked = 0;
    store.addToGroup("g", member.channel, undefined, {
      snapshot: () => {
        asked += 1;
        return new Promise<never>(() => {});
      },
    });
    await until(() => asked === 1, "it is asked");
    await store.disconnect("g");
    assert.equal(member.channel.isOpen, false);
  });

  it("shares the bytes of a result that several members share", async () => {
    const store = createChannelStore();
    let reads = 0;
    let running: Promise<Snapshot> | undefined;
    const snapshot = (context: SnapshotContext): Promise<Snapshot> => {
      running ??= (async () => {
        reads += 1;
        await turn();
        return { message: json({ state: 1 }), since: context.lastId };
      })().finally(() => (running = undefined));
      return running;
    };
    const members = Array.from({ length: 100 }, () => new Copy());
    for (const { member } of members) store.addToGroup("g", member.channel, undefined, { snapshot });
    await store.publish("g", json({ next: 2 }));
    await until(() => members.every(({ value }) => value === 2), "all have the state and what follows it");
    assert.equal(reads, 1);
    assert.ok(members.every(({ wrong, states }) => wrong.length === 0 && states === 1));
  });
});

describe("lastId", () => {
  it("is an id after which everything follows that is published later, also in a group without members", async () => {
    for (const backplane of [undefined, new MemoryBackplane()]) {
      const store = createChannelStore({ backplane });
      const before = await store.lastId("g");
      const { id } = await store.publish("g", "one");
      assert.equal((await store.history("g", before)).messages.length, 1);
      const after = await store.lastId("g");
      assert.equal(after, id);
      const member = new MemoryChannel();
      store.addToGroup("g", member.channel, undefined, { since: after });
      await store.publish("g", "two");
      await until(() => member.sent.length > 0, "it has the message");
      assert.deepEqual(member.take(), ["two"]);
      await store.close();
      await assert.rejects(store.lastId("g"), { code: "BACKPLANE_UNAVAILABLE" });
    }
  });

  it("rejects when the backplane does not answer in time", async () => {
    const clock = new VirtualClock();
    const inner = new MemoryBackplane();
    const backplane = Object.assign(inner.share(), { subscribe: () => new Promise<never>(() => {}) });
    const store = createChannelStore({ backplane, clock, onError: () => {} });
    const asked = assert.rejects(store.lastId("g"), { code: "BACKPLANE_UNAVAILABLE" });
    await clock.advance(10_000);
    await asked;
    await assert.rejects(store.lastId("x".repeat(1025)), { code: "BAD_OPTION" });
  });
});
