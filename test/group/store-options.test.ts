// Options and arguments of stores, their verbs and backplanes: wrong values are refused, and nobody joins or receives anything.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createChannelStore, MemoryBackplane, MemoryChannelStore, pollGroup } from "../../src/index.ts";
import { natsBackplane } from "../../src/nats.ts";
import { redisBackplane } from "../../src/redis.ts";
import {
  each,
  INFINITE,
  type Loose,
  NO_AMOUNT,
  NO_BOOLEAN,
  NO_FUNCTION,
  NO_HEADERS,
  NO_OBJECT,
  type Table,
} from "../support/bad-values.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { serving } from "../support/serving.ts";

const BAD = { code: "BAD_OPTION" };
const HISTORY = ["size", "ttlMs", "maxBytes", "maxTotalBytes", "maxKeys", "valueTtlMs"];

const STORE: Table = {
  history: [
    ...NO_OBJECT,
    ...HISTORY.flatMap((name) => NO_AMOUNT.map((value) => ({ [name]: value }))),
    ...NO_FUNCTION.map((value) => ({ latest: value })),
  ],
  backplane: [...NO_OBJECT, { publish() {} }],
  codec: [...NO_OBJECT, { decode() {} }, { encode: 5 }],
  onJoin: NO_FUNCTION,
  onLeave: NO_FUNCTION,
  onError: NO_FUNCTION,
  clock: [...NO_OBJECT, { now() {} }, { now() {}, setTimer() {} }],
};

const JOIN: Table = {
  since: [5, true, {}, []],
  ids: NO_BOOLEAN,
  onReset: NO_FUNCTION,
  snapshot: NO_FUNCTION,
  snapshotTimeoutMs: NO_AMOUNT,
};
const POLL: Table = { since: [5, true, {}, []], parkMs: NO_AMOUNT, headers: NO_HEADERS };
const NO_CHANNEL: readonly unknown[] = [5, "x", null, true, [], { send() {} }];
const BROKER: Table = {
  timeoutMs: [...NO_AMOUNT, 0, INFINITE],
  maxPendingBytes: [...NO_AMOUNT, 0],
  aliveMs: [...NO_AMOUNT, 0, INFINITE],
  onError: NO_FUNCTION,
};
const NO_NAME: readonly unknown[] = [5, null, undefined, {}, Symbol("s")];

describe("the options of a store", () => {
  it("are BAD_OPTION for each bad value, with its name", () => {
    for (const make of [createChannelStore, (options: Loose) => new MemoryChannelStore(options)]) {
      for (const [name, value, text] of each(STORE)) {
        assert.throws(
          () => make({ [name]: value } as Loose),
          { ...BAD, message: new RegExp(name) },
          `${name}: ${text}`,
        );
      }
    }
    const { close, ...rest } = { ...methodsOf(new MemoryBackplane()) };
    assert.throws(() => createChannelStore({ backplane: rest as Loose }), { ...BAD, message: /no method close/ });
    assert.throws(() => new MemoryChannelStore({ backplane: new MemoryBackplane() } as Loose), {
      ...BAD,
      message: /createChannelStore\(\{ backplane \}\)/,
    });
  });

  it("are accepted at the limits of the allowed range", async () => {
    const good: readonly Loose[] = [
      { history: { size: 0, ttlMs: INFINITE, maxBytes: 0, maxTotalBytes: INFINITE } },
      { history: { size: undefined }, onJoin: undefined, backplane: undefined },
      { backplane: new MemoryBackplane(), codec: { encode: String, decode: String } },
      { clock: { now: () => 0, setTimer: () => 0, clearTimer() {} } },
    ];
    for (const options of good) await createChannelStore(options).close();
  });
});

describe("an argument of a store's verbs", () => {
  it("is BAD_OPTION for each bad value, and nobody joins", async () => {
    const joined: string[] = [];
    const store = createChannelStore({ onJoin: (group) => joined.push(group) }) as Loose;
    const { channel } = new MemoryChannel();
    for (const [name, value, text] of each(JOIN)) {
      assert.throws(() => store.addToGroup("g", channel, undefined, { [name]: value }), BAD, `${name}: ${text}`);
    }
    for (const value of NO_CHANNEL) assert.throws(() => store.addToGroup("g", value), BAD);
    for (const name of NO_NAME) {
      assert.throws(() => store.addToGroup(name, channel), BAD);
      for (const verb of ["broadcast", "members", "size"]) assert.throws(() => store[verb](name, "x"), BAD, verb);
      for (const verb of ["publish", "history", "presence"]) await assert.rejects(store[verb](name, "x"), BAD, verb);
    }
    for (const since of [5, true, {}, []]) await assert.rejects(store.history("g", since), BAD);
    assert.deepEqual([joined, store.groups(), store.size("g")], [[], [], 0]);
  });

  it("is BAD_OPTION for an except that is no channel, and nothing is published", async () => {
    const store = createChannelStore() as Loose;
    const { channel, sent } = new MemoryChannel();
    store.addToGroup("g", channel);
    for (const except of NO_CHANNEL) await assert.rejects(store.publish("g", "x", { except }), BAD);
    assert.deepEqual((await store.history("g")).messages, []);
    await store.publish("g", "x", { except: channel });
    await store.publish("g", "x", { except: undefined });
    assert.equal(sent.length, 1);
  });

  it("is BAD_OPTION for each bad value of a poll, which has no channel then", async (t) => {
    const store = createChannelStore();
    const site = await serving(t, (request) => {
      for (const [name, value, text] of each(POLL)) {
        const poll = (): unknown => pollGroup(request, store, "g", { [name]: value } as Loose);
        assert.throws(poll, { ...BAD, message: new RegExp(name) }, `${name}: ${text}`);
      }
      assert.throws(() => pollGroup(request, {} as Loose, "g"), BAD);
      return "refused";
    });
    assert.equal((await site.request("GET /")).text, "refused");
    assert.deepEqual([store.groups(), site.server.stats().channels.stream], [[], 0]);
  });
});

describe("a backplane over a broker", () => {
  const methods = { publish() {}, request() {}, subscribe() {}, flush() {}, status() {} };

  it("is BAD_OPTION for a client without the methods that are needed, and names the missing one", () => {
    for (const client of [undefined, null, 5, "redis://x"] as Loose[]) {
      assert.throws(() => redisBackplane(client), { ...BAD, message: /redisBackplane.*must be a client/ });
      assert.throws(() => natsBackplane(client), { ...BAD, message: /natsBackplane.*must be a connection/ });
    }
    assert.throws(() => redisBackplane({} as Loose), { ...BAD, message: /no method duplicate/ });
    const duplicate = (): never => assert.fail("a connection was made");
    assert.throws(() => redisBackplane({ duplicate } as Loose), { ...BAD, message: /sendCommand.*callBuffer/ });
    const cluster = { duplicate, sendCommand() {}, masters: [], options: {} };
    assert.throws(() => redisBackplane(cluster as Loose), { ...BAD, message: /cluster/ });
    for (const missing of Object.keys(methods)) {
      const connection = { ...methods, [missing]: undefined } as Loose;
      assert.throws(() => natsBackplane(connection), { ...BAD, message: new RegExp(`no method ${missing};`) });
    }
  });

  it("is BAD_OPTION for each bad value of its options, before the client is asked for anything", () => {
    const duplicate = (): never => assert.fail("a connection was made");
    const redis = (o: Loose): unknown => redisBackplane({ duplicate, callBuffer() {} } as Loose, o);
    const asked = { ...methods, status: () => assert.fail("the connection was asked") };
    const nats = (o: Loose): unknown => natsBackplane(asked as Loose, o);
    for (const [name, value, text] of each({ ...BROKER, prefix: [5, null, "", "a{b}"] })) {
      assert.throws(() => redis({ [name]: value }), { ...BAD, message: new RegExp(name) }, `${name}: ${text}`);
    }
    for (const [name, value, text] of each({
      ...BROKER,
      name: [5, null, "", "a b"],
      replicas: [...NO_AMOUNT, 0, 1.5, 6],
    })) {
      assert.throws(() => nats({ [name]: value }), { ...BAD, message: new RegExp(name) }, `${name}: ${text}`);
    }
  });
});

function methodsOf(object: Loose): Loose {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(object)).filter((name) => name !== "constructor");
  return Object.fromEntries(names.map((name) => [name, () => {}]));
}
