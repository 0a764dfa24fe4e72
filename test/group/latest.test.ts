// Groups that keep the last value of each key: newcomers, members that were away, polls, limits, and other processes.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type ChannelStore,
  type ChannelStoreOptions,
  createChannelStore,
  MemoryBackplane,
  pollGroup,
} from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { chance, LateBackplane, late } from "../support/late-backplane.ts";
import { MemoryChannel, type Sent } from "../support/memory-channel.ts";
import { request, serving } from "../support/serving.ts";
import { turn, until } from "../support/wait.ts";

interface Price {
  readonly of: string;
  /** Undefined: it is not sold any more. */
  readonly price?: number | undefined;
}

const latest = (data: unknown) => {
  const { of, price } = data as Price;
  return of === undefined ? undefined : price === undefined ? { key: of, isRemoved: true } : of;
};

type History = NonNullable<ChannelStoreOptions["history"]>;

/** A store in this process, and two that share a broker: the same must come out. */
async function forEach(history: History, run: (a: ChannelStore, b: ChannelStore) => Promise<void>): Promise<void> {
  const alone = createChannelStore({ history: { latest, ...history } });
  await run(alone, alone);
  const broker = new MemoryBackplane();
  const stores = [0, 1].map(() => createChannelStore({ history: { latest, ...history }, backplane: broker.share() }));
  await run(stores[0]!, stores[1]!);
  for (const store of [alone, ...stores]) await store.close();
}

const textsOf = (sent: readonly Sent[]): string[] => sent.map(({ body }) => String(body));
const price = (of: string, value?: number): Price => ({ of, price: value });

async function joined(
  store: ChannelStore,
  options = {},
  kind: "sse" | "websocket" = "websocket",
): Promise<MemoryChannel> {
  const member = new MemoryChannel(kind);
  store.addToGroup("g", member.channel, undefined, options);
  for (let turns = 0; turns < 20; turns++) await turn();
  return member;
}

describe("a group that keeps the last value of each key", () => {
  it("sends them to a newcomer in the order of their ids, and then what is published", async () => {
    await forEach({ size: 2 }, async (a, b) => {
      for (const [of, value] of [
        ["x", 1],
        ["y", 1],
        ["x", 2],
        ["z", 1],
        ["y", 2],
      ] as const) {
        await a.publish("g", price(of, value));
      }
      const member = await joined(b);
      await a.publish("g", price("x", 3));
      await turn();
      assert.deepEqual(
        textsOf(member.sent).map((text) => JSON.parse(text)),
        [price("x", 2), price("z", 1), price("y", 2), price("x", 3)],
      );
      member.leave();
    });
  });

  it("sends nothing of before to a member that asks for new messages alone", async () => {
    await forEach({}, async (a, b) => {
      await a.publish("g", price("x", 1));
      const member = await joined(b, { since: null });
      assert.deepEqual(member.take(), []);
    });
  });

  it("sends a member that was away the last value of each key that it has missed, and each removal", async () => {
    await forEach({}, async (a, b) => {
      await a.publish("g", price("x", 1));
      const { id } = await a.publish("g", price("y", 1));
      for (let n = 2; n < 10; n++) await a.publish("g", price("x", n));
      await a.publish("g", price("y"));
      const member = await joined(b, { since: id }, "sse");
      assert.deepEqual(
        member.sent.map(({ body, event }) => [event, JSON.parse(String(body))]),
        [
          [undefined, price("x", 9)],
          [undefined, { of: "y" }],
        ],
      );
      const newcomer = await joined(b);
      assert.deepEqual(textsOf(newcomer.sent), ['{"of":"x","price":9}'], "no removed key, and not its removal");
    });
  });

  it("sends a member that was away for too long a reset, and the last value of each key", async () => {
    await forEach({ size: 2 }, async (a, b) => {
      const { id } = await a.publish("g", price("x", 1));
      for (const of of ["a", "b", "c", "d"]) await a.publish("g", price(of, 1));
      await a.publish("g", price("a"));
      const member = await joined(b, { since: id }, "sse");
      assert.deepEqual(
        member.sent.map(({ event, body }) => event ?? (JSON.parse(String(body)) as Price).of),
        ["reset", "x", "b", "c", "d"],
      );
      // An event source comes back with the id of the last value.
      const { id: lastEventId } = member.sent.at(-1)!;
      await a.publish("g", price("x", 2));
      const again = await joined(b, { since: lastEventId }, "sse");
      assert.equal((JSON.parse(String(again.sent.at(-1)!.body)) as Price).price, 2);
    });
  });

  it("keeps messages without a key in its history alone", async () => {
    await forEach({ size: 2 }, async (a, b) => {
      await a.publish("g", price("x", 1));
      for (let n = 0; n < 4; n++) await a.publish("g", { note: n });
      const member = await joined(b);
      assert.deepEqual(textsOf(member.sent), ['{"of":"x","price":1}', '{"note":2}', '{"note":3}']);
      const { messages } = await b.history("g");
      assert.deepEqual(
        messages.map(({ data }) => data),
        [price("x", 1), { note: 2 }, { note: 3 }],
      );
    });
  });

  it("keeps at most maxKeys, those with the newest values", async () => {
    await forEach({ size: 0, maxKeys: 3 }, async (a, b) => {
      for (const of of ["a", "b", "c"]) await a.publish("g", price(of, 1));
      assert.equal((await b.history("g")).messages.length, 3);
      await a.publish("g", price("a", 2));
      await a.publish("g", price("d", 1));
      const keys = (await b.history("g")).messages.map(({ data }) => (data as Price).of);
      assert.deepEqual(keys, ["c", "a", "d"]);
    });
  });

  it("keeps values for valueTtlMs, which begins again with each message of the key", async () => {
    const clock = new VirtualClock();
    const store = createChannelStore({ clock, history: { latest, ttlMs: 10, valueTtlMs: 5000 } });
    await store.publish("g", price("x", 1));
    await store.publish("g", price("y", 1));
    await clock.advance(4000);
    await store.publish("g", price("x", 2));
    assert.equal((await store.history("g")).messages.length, 2);
    await clock.advance(1000);
    assert.deepEqual(
      (await store.history("g")).messages.map(({ data }) => data),
      [price("x", 2)],
    );
    await clock.advance(4000);
    assert.deepEqual((await store.history("g")).messages, []);
  });

  it("keeps no more than maxBytes of values of a group, and maxTotalBytes of all groups", async () => {
    const value = "v".repeat(1000);
    const store = createChannelStore({ history: { latest, size: 0, maxBytes: 5000, maxTotalBytes: 9000 } });
    const keep = async (group: string): Promise<number> => (await store.history(group)).messages.length;
    for (let n = 0; n < 20; n++) await store.publish("a", { of: String(n), price: 1, value });
    assert.equal(await keep("a"), 4);
    for (const group of ["b", "c", "d"]) {
      for (let n = 0; n < 4; n++) await store.publish(group, { of: String(n), price: 1, value });
    }
    const counts = await Promise.all(["a", "b", "c", "d"].map(keep));
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      8,
    );
    assert.equal(counts[3], 4, "the oldest go first");
  });

  it("refuses a key that is wrong or too long, and passes on what the function throws", async () => {
    const boom = new Error("boom");
    const bad = ["k".repeat(1025), "\ud800", "a\udc00", 5, null, { key: "x" }];
    const results: unknown[] = ["k".repeat(1024), "😀", ...bad, Promise.resolve("x")];
    const store = createChannelStore({
      history: {
        latest: () => {
          if (results.length === 0) throw boom;
          return results.shift() as string;
        },
      },
    });
    for (let n = 0; n < 2; n++) await store.publish("g", "fits");
    for (let n = 0; n < bad.length; n++) await assert.rejects(store.publish("g", "bad"), { code: "BAD_DATA" });
    await assert.rejects(store.publish("g", "promise"), { code: "BAD_OPTION" });
    await assert.rejects(store.publish("g", "throws"), boom);
    assert.equal((await store.history("g")).messages.length, 2);
  });

  it("needs a backplane that keeps values", () => {
    const backplane = Object.assign(new MemoryBackplane(), { latest: undefined }) as never;
    assert.throws(() => createChannelStore({ backplane, history: { latest } }), {
      code: "BAD_OPTION",
      message: /publishLatest/,
    });
  });

  it("answers the first poll with the last values, and the next one with those that have changed", async (t) => {
    const store = createChannelStore({ history: { latest } });
    const site = await serving(t, (each) => pollGroup(each, store, "g", { parkMs: 60_000 }));
    for (const n of [1, 2]) for (const of of ["x", "y"]) await store.publish("g", price(of, n));
    const client = await site.connect();
    const ask = async (query: string): Promise<{ messages: { data: Price }[]; next: string }> => {
      client.write(request(`GET /${query}`));
      return JSON.parse((await client.response()).body.toString());
    };
    const first = await ask("");
    assert.deepEqual(
      first.messages.map(({ data }) => data),
      [price("x", 2), price("y", 2)],
    );
    for (const n of [3, 4]) await store.publish("g", price("x", n));
    const second = await ask(`?since=${first.next}`);
    assert.deepEqual(
      second.messages.map(({ data }) => data),
      [price("x", 4)],
    );
  });

  it("has a new process send the values when all processes have ended", async () => {
    const broker = new MemoryBackplane();
    const first = createChannelStore({ backplane: broker.share(), history: { latest, size: 1 } });
    for (const of of ["x", "y", "z"]) await first.publish("g", price(of, 1));
    await first.close();
    const second = createChannelStore({ backplane: broker.share(), history: { latest, size: 1 } });
    const member = await joined(second);
    assert.equal(member.sent.length, 3);
    await second.close();
  });

  it("gives every member the right last values, whatever is published while it joins, over a backplane that is late", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = chance(seed * 2_750_159);
      const broker = new MemoryBackplane();
      const stores = [0, 1].map(() =>
        createChannelStore({
          history: { latest, size: 5, maxKeys: 50 },
          backplane: new LateBackplane(broker.share(), random),
        }),
      );
      const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!;
      const model = new Map<string, number>();
      const copies: { readonly values: Map<string, number>; readonly numbers: number[]; member: MemoryChannel }[] = [];
      const publishing = (async () => {
        for (let n = 1; n <= 150; n++) {
          const of = String(Math.floor(random() * 20));
          const isGone = random() < 0.2;
          if (isGone) model.delete(of);
          else model.set(of, n);
          await stores[0]!.publish("g", { ...price(of, isGone ? undefined : n), n });
        }
      })();
      let isOver = false;
      void publishing.then(() => (isOver = true));
      while (!isOver) {
        await late(random);
        await turn();
        const copy = { values: new Map<string, number>(), numbers: [] as number[], member: new MemoryChannel() };
        copy.member.onSent = ({ body }) => {
          const { of, price: value, n } = JSON.parse(String(body)) as Price & { n: number };
          copy.numbers.push(n);
          if (value === undefined) copy.values.delete(of);
          else copy.values.set(of, value);
        };
        copies.push(copy);
        pick(stores).addToGroup("g", copy.member.channel);
      }
      await publishing;
      await stores[0]!.publish("g", { of: "last", price: 1, n: 151 });
      model.set("last", 1);
      await until(() => copies.every(({ numbers }) => numbers.at(-1) === 151), "all have the last message");
      for (const { values, numbers } of copies) {
        assert.deepEqual([...values].sort(), [...model].sort(), `seed ${seed}`);
        assert.deepEqual(
          numbers,
          [...new Set(numbers)].sort((x, y) => x - y),
          "in order, and none twice",
        );
      }
      await Promise.all(stores.map((store) => store.close()));
    }
  });
});
