// publish, history, ids, resets and presence: with and without a backplane.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Backplane } from "../../src/index.ts";
import {
  type ChannelStore,
  type ChannelStoreOptions,
  createChannelStore,
  event,
  json,
  MemoryBackplane,
  prepare,
} from "../../src/index.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { until } from "../support/wait.ts";

/** Resolves when everything under way has arrived. */
async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise(setImmediate);
}

/** A Buffer as the Uint8Array that it is. */
function plain(body: string | Uint8Array | null): string | Uint8Array | null {
  return body instanceof Uint8Array ? Uint8Array.from(body) : body;
}

const KINDS: readonly (readonly [
  name: string,
  make: (options?: ChannelStoreOptions<string>) => ChannelStore<string>,
])[] = [
  ["without a backplane", (options) => createChannelStore(options)],
  ["with a backplane", (options) => createChannelStore({ ...options, backplane: new MemoryBackplane() })],
];

for (const [name, make] of KINDS) {
  describe(`publish ${name}`, () => {
    it("sends text, bytes, JSON and events to every member as they are, with growing ids", async () => {
      const store = make();
      const [ws, events] = [new MemoryChannel(), new MemoryChannel("sse")];
      for (const { channel } of [ws, events]) store.addToGroup("g", channel);
      const ids: string[] = [];
      for (const message of [
        "text",
        Uint8Array.of(1, 255),
        json({ n: 1 }),
        { n: 2 },
        [3],
        event({ event: "tick", data: "4" }),
        prepare("5"),
      ]) {
        ids.push((await store.publish("g", message)).id);
      }
      await turns();
      const bodies = ["text", Uint8Array.of(1, 255), '{"n":1}', '{"n":2}', "[3]", "4", "5"];
      assert.deepEqual(ws.take().map(plain), bodies);
      assert.deepEqual(
        events.sent.map(({ id, event: type }) => [id, type]),
        ids.map((id, i) => [id, i === 5 ? "tick" : undefined]),
      );
      assert.deepEqual(events.take().map(plain), bodies);
      assert.equal(new Set(ids).size, ids.length);
    });

    it("converts a value once, for members of every kind, the history and replays", async () => {
      const store = make();
      const members = [new MemoryChannel(), new MemoryChannel("sse"), new MemoryChannel("stream"), new MemoryChannel()];
      for (const [at, { channel }] of members.entries()) {
        store.addToGroup("g", channel, undefined, { ids: at === 3, onReset: () => {} });
      }
      let conversions = 0;
      const value = { toJSON: () => ({ conversions: (conversions += 1) }) };
      const { id } = await store.publish("g", value);
      await turns();
      const late = new MemoryChannel();
      store.addToGroup("g", late.channel, undefined, { since: "" });
      await turns();
      const text = '{"conversions":1}';
      assert.deepEqual(
        [...members, late].map(({ sent }) => sent.map(({ body }) => body)),
        [[text], [text], [text], [`{"group":"g","id":"${id}","data":${text}}`], [text]],
      );
      assert.deepEqual((await store.history("g")).messages, [{ id, data: { conversions: 1 } }]);
      assert.equal(conversions, 1);
    });

    it("answers and closes plain HTTP channels", async () => {
      const store = make();
      const poll = new MemoryChannel("stream");
      store.addToGroup("g", poll.channel);
      await store.publish("g", { n: 1 });
      await turns();
      assert.equal(poll.sent[0]!.body, '{"n":1}');
      assert.deepEqual(poll.sent[0]!.fields, ["Content-Type", "application/json; charset=utf-8"]);
      assert.equal(poll.sent[0]!.isLast, true);
      await until(() => store.size("g") === 0, "it has left");
    });

    it("leaves out one member, and keeps the message", async () => {
      const store = make();
      const [one, two] = [new MemoryChannel(), new MemoryChannel()];
      store.addToGroup("g", one.channel);
      store.addToGroup("g", two.channel);
      await store.publish("g", "not for one", { except: one.channel });
      await store.publish("g", "for both");
      await turns();
      assert.deepEqual(one.take(), ["for both"]);
      assert.deepEqual(two.take(), ["not for one", "for both"]);
      assert.equal((await store.history("g")).messages.length, 2);
    });

    it("rejects what cannot be published, and names that are too long", async () => {
      const store = make();
      for (const message of [
        undefined,
        new Blob(["x"]),
        new ReadableStream(),
        () => "x",
        { status: 201, body: "x" },
        { headers: { "X-A": "1" }, body: "x" },
        event({ data: "x", id: "1" }),
        event({ data: "x", retry: 1 }),
        event({ event: "a\nb", data: "x" }),
        event({ event: "x" }),
        event({ event: 5 as never, data: "x" }),
        Promise.resolve("x"),
        Promise.reject(new Error("nobody is told: it was refused")),
      ]) {
        await assert.rejects(store.publish("g", message as string), { code: "BAD_DATA" });
      }
      for (const type of ["text/\nplain", "text/漢"]) {
        const message = { headers: { "Content-Type": type }, body: "x" };
        await assert.rejects(store.publish("g", message), { code: "BAD_HEADER" });
      }
      const long = "é".repeat(513);
      for (const type of ["a\nb", long]) {
        await assert.rejects(store.publish("g", event({ event: type, data: "x" })), {
          message: /the type of an event must be a string without line break and of at most 1024 bytes/,
        });
      }
      await assert.rejects(store.publish(long, "x"), { code: "BAD_OPTION" });
      await assert.rejects(store.history(long), { code: "BAD_OPTION" });
      assert.throws(() => store.addToGroup(long, new MemoryChannel().channel), { code: "BAD_OPTION" });
      await store.publish("é".repeat(512), "x");
    });

    it("returns published messages as values, from the oldest on or after an id", async () => {
      const store = make({ history: { size: 3 } });
      const ids: string[] = [];
      for (const message of ["gone", "text", event({ event: "tick", data: "{}" }), { n: 1 }]) {
        ids.push((await store.publish("g", message)).id);
      }
      const all = await store.history("g");
      assert.deepEqual(all, {
        messages: [
          { id: ids[1], data: "text" },
          { id: ids[2], data: "{}", event: "tick" },
          { id: ids[3], data: { n: 1 } },
        ],
        reset: false,
      });
      assert.deepEqual((await store.history("g", ids[2])).messages, all.messages.slice(2));
      assert.deepEqual(await store.history("g", ids[3]), { messages: [], reset: false });
      // The id of the last dropped message is valid: nothing after it is missing.
      assert.deepEqual(await store.history("g", ids[0]), all);
      await store.publish("g", "another");
      assert.equal((await store.history("g", ids[0])).reset, true);
      assert.equal((await store.history("g", "no id")).reset, true);
    });

    it("keeps its own copy of bytes", async () => {
      const store = make();
      const bytes = Uint8Array.of(1, 2);
      await store.publish("g", bytes);
      bytes[0] = 9;
      assert.deepEqual([...((await store.history("g")).messages[0]!.data as Uint8Array)], [1, 2]);
    });

    for (const [name, bytes] of [
      ["a Buffer out of the pool", Buffer.from([1, 2])],
      ["a piece of a Buffer", Buffer.alloc(64, 1).fill(2, 9).subarray(8, 10)],
    ] as const) {
      it(`keeps its own copy of ${name}, and returns another copy each time`, async () => {
        const store = make();
        await store.publish("g", bytes);
        bytes.fill(9);
        for (let times = 0; times < 2; times++) {
          const data = (await store.history("g")).messages[0]!.data as Uint8Array;
          assert.deepEqual([...data], [1, 2]);
          data.fill(8);
        }
      });
    }

    it("sends a returning member the messages that it missed, in order, and then new ones", async () => {
      const store = make();
      const ids: string[] = [];
      for (const n of ["1", "2", "3"]) ids.push((await store.publish("g", n)).id);
      const [back, fresh, all] = [new MemoryChannel("sse"), new MemoryChannel("sse"), new MemoryChannel("sse")];
      store.addToGroup("g", back.channel, "attached", { since: ids[0] });
      store.addToGroup("g", fresh.channel, undefined, { since: null });
      store.addToGroup("g", all.channel, undefined, { since: "" });
      await store.publish("g", "4");
      await turns();
      assert.deepEqual(back.take(), ["2", "3", "4"]);
      assert.deepEqual(fresh.take(), ["4"]);
      assert.deepEqual(all.take(), ["1", "2", "3", "4"]);
      assert.deepEqual(store.members("g")[0], [back.channel, "attached"]);
    });

    it("tells a member that returns with an unknown id, and sends it the kept messages", async () => {
      const store = make();
      await store.publish("g", "kept");
      const [events, ws, numbered, own, fresh] = [
        new MemoryChannel("sse"),
        new MemoryChannel(),
        new MemoryChannel(),
        new MemoryChannel(),
        new MemoryChannel(),
      ];
      store.addToGroup("g", events.channel, undefined, { since: "unknown" });
      store.addToGroup("g", ws.channel, undefined, { since: "unknown" });
      store.addToGroup("g", numbered.channel, undefined, { since: "unknown", ids: true });
      store.addToGroup("g", own.channel, undefined, {
        since: "unknown",
        onReset: (channel) => channel.send("snapshot"),
      });
      store.addToGroup("g", fresh.channel);
      await turns();
      assert.deepEqual(
        events.sent.map(({ event: type, body }) => [type, body]),
        [
          ["reset", '{"group":"g"}'],
          [undefined, "kept"],
        ],
      );
      assert.deepEqual(ws.take(), ['{"group":"g","reset":true}', "kept"]);
      const { id } = (await store.history("g")).messages[0]!;
      assert.deepEqual(numbered.take(), ['{"group":"g","reset":true}', `{"group":"g","id":"${id}","data":"kept"}`]);
      assert.deepEqual(own.take(), ["snapshot", "kept"]);
      assert.deepEqual(fresh.take(), []);
    });

    it("gives members that ask for it JSON with ids: text, values, events, and bytes in base64", async () => {
      const store = make();
      const member = new MemoryChannel();
      store.addToGroup('"g"', member.channel, undefined, { ids: true });
      const ids: string[] = [];
      for (const message of ["a", { n: 1 }, event({ event: "e", data: "x" }), Uint8Array.of(255)]) {
        ids.push((await store.publish('"g"', message)).id);
      }
      await turns();
      assert.deepEqual(
        member.take().map((body) => JSON.parse(body as string)),
        [
          { group: '"g"', id: ids[0], data: "a" },
          { group: '"g"', id: ids[1], data: { n: 1 } },
          { group: '"g"', id: ids[2], event: "e", data: "x" },
          { group: '"g"', id: ids[3], encoding: "base64", data: "/w==" },
        ],
      );
    });

    it("lists a present member for as long as it is a member", async () => {
      const store = make();
      const [ann, bob, nobody] = [new MemoryChannel(), new MemoryChannel(), new MemoryChannel()];
      store.addToGroup("g", ann.channel, undefined, { presence: { name: "ann" } });
      store.addToGroup("g", bob.channel, undefined, { presence: "bob" });
      store.addToGroup("g", nobody.channel);
      await turns();
      const infos = async (): Promise<unknown[]> => (await store.presence("g")).map(({ info }) => info);
      assert.deepEqual(await infos(), [{ name: "ann" }, "bob"]);
      store.addToGroup("g", ann.channel, undefined, { presence: { name: "Ann" } });
      store.removeFromGroup("g", bob.channel);
      await turns();
      assert.deepEqual(await infos(), [{ name: "Ann" }]);
      ann.leave();
      await turns();
      assert.deepEqual(await store.presence("g"), []);
    });

    it("reports joining and leaving, once each", async () => {
      const told: string[] = [];
      const store = make({
        onJoin: (group, _, attachment) => told.push(`join ${group} ${attachment}`),
        onLeave: (group, _, attachment) => told.push(`leave ${group} ${attachment}`),
      });
      const member = new MemoryChannel();
      store.addToGroup("a", member.channel, "1");
      store.addToGroup("b", member.channel, "2");
      store.addToGroup("a", member.channel, "3");
      store.removeFromGroup("b", member.channel);
      store.removeFromGroup("b", member.channel);
      store.addToGroup("b", member.channel, "4");
      member.leave();
      await turns();
      assert.deepEqual(told, ["join a 1", "join b 2", "leave b 2", "join b 4", "leave a 3", "leave b 4"]);
    });

    it("delivers to the others when a member's callback throws, and reports it", async () => {
      const told: unknown[] = [];
      const store = make({ onError: (error, { group }) => told.push(group, (error as Error).message) });
      const member = new MemoryChannel();
      store.addToGroup("g", member.channel, undefined, {
        since: "unknown",
        onReset() {
          throw new Error("boom");
        },
      });
      await turns();
      await store.publish("g", "after");
      await turns();
      assert.deepEqual(told, ["g", "boom"]);
      assert.deepEqual(member.take(), ["after"]);
    });

    it("delivers a message that a member publishes meanwhile to all members in the same order", async () => {
      const store = make();
      const [first, second] = [new MemoryChannel(), new MemoryChannel()];
      store.addToGroup("g", first.channel);
      store.addToGroup("g", second.channel);
      let late: MemoryChannel | undefined;
      first.onSent = ({ body }) => {
        if (body !== "1") return;
        void store.publish("g", "2");
        late = new MemoryChannel();
        store.addToGroup("g", late.channel, undefined, { since: "" });
        store.removeFromGroup("g", second.channel);
        store.addToGroup("g", second.channel, undefined, { since: "" });
      };
      await store.publish("g", "1");
      await turns();
      assert.deepEqual(first.take(), ["1", "2"]);
      assert.deepEqual(late!.take(), ["1", "2"]);
    });

    it("ends with close: members stay open and receive nothing more", async () => {
      const store = make();
      const member = new MemoryChannel();
      store.addToGroup("g", member.channel, undefined, { presence: 1 });
      await store.close();
      await store.close();
      await assert.rejects(store.publish("g", "x"), { code: "BACKPLANE_UNAVAILABLE" });
      assert.deepEqual([store.groups(), member.channel.isOpen], [[], true]);
      store.addToGroup("g", member.channel);
      assert.equal(store.size("g"), 0);
    });
  });
}

describe("publish without a backplane", () => {
  it("has delivered when the call returns, and resolves with the id", async () => {
    const store = createChannelStore();
    const member = new MemoryChannel("sse");
    store.addToGroup("g", member.channel);
    const published = store.publish("g", "now");
    assert.deepEqual(member.sent[0]!.body, "now");
    assert.equal((await published).id, member.sent[0]!.id);
  });

  it("keeps nothing with a history of size 0, and still knows which members missed nothing", async () => {
    const store = createChannelStore({ history: { size: 0 } });
    const { id } = await store.publish("g", "1");
    assert.deepEqual(await store.history("g"), { messages: [], reset: false });
    const [last, older] = [new MemoryChannel("sse"), new MemoryChannel("sse")];
    store.addToGroup("g", last.channel, undefined, { since: id });
    await store.publish("g", "2");
    store.addToGroup("g", older.channel, undefined, { since: id });
    assert.deepEqual(last.take(), ["2"]);
    assert.deepEqual(
      older.sent.map(({ event: type }) => type),
      ["reset"],
    );
  });

  it("refuses a history that makes no sense", () => {
    for (const history of [{ size: -1 }, { ttlMs: Number.NaN }]) {
      assert.throws(() => createChannelStore({ history }), { code: "BAD_OPTION" });
    }
  });
});

describe("publish with a backplane", () => {
  it("reaches members in every process, and members that return to another process", async () => {
    const broker = new MemoryBackplane();
    const [a, b] = [
      createChannelStore({ backplane: broker.share() }),
      createChannelStore({ backplane: broker.share() }),
    ];
    const [one, two] = [new MemoryChannel(), new MemoryChannel("sse")];
    a.addToGroup("g", one.channel);
    b.addToGroup("g", two.channel);
    const { id } = await a.publish("g", "from a", { except: one.channel });
    await b.publish("g", "from b");
    await turns();
    assert.deepEqual(one.take(), ["from b"]);
    assert.deepEqual(two.take(), ["from a", "from b"]);
    const back = new MemoryChannel();
    b.addToGroup("g", back.channel, undefined, { since: id });
    await turns();
    assert.deepEqual(back.take(), ["from b"]);
  });

  it("skips and reports foreign entries", async () => {
    const broker = new MemoryBackplane();
    const told: string[] = [];
    const store = createChannelStore({
      backplane: broker.share(),
      onError: (error) => told.push((error as { code: string }).code),
    });
    const member = new MemoryChannel();
    store.addToGroup("g", member.channel);
    await store.publish("g", "1");
    for (const bytes of [new Uint8Array(0), Uint8Array.of(2, 0), new Uint8Array(20).fill(255)]) {
      await broker.publish("g", bytes, { size: 100, ttlMs: 60_000 });
    }
    await store.publish("g", "2");
    await turns();
    assert.deepEqual(member.take(), ["1", "2"]);
    assert.deepEqual(told, ["BAD_DATA", "BAD_DATA", "BAD_DATA"]);
  });

  it("tells all members of a gap, and goes on", async () => {
    const inner = new MemoryBackplane();
    let gap = (): void => assert.fail("nobody has subscribed");
    const backplane: Backplane = Object.assign(inner.share(), {
      subscribe: (group: string, listener: Parameters<Backplane["subscribe"]>[1]) => {
        gap = () => listener.gap();
        return inner.subscribe(group, listener);
      },
    });
    const store = createChannelStore({ backplane });
    const [events, plain, own] = [new MemoryChannel("sse"), new MemoryChannel(), new MemoryChannel()];
    store.addToGroup("g", events.channel);
    store.addToGroup("g", plain.channel);
    store.addToGroup("g", own.channel, undefined, { onReset: (channel) => channel.send("reset") });
    const { id } = await store.publish("g", "1");
    await turns();
    gap();
    await store.publish("g", "2");
    await turns();
    assert.deepEqual(events.take(), ["1", '{"group":"g"}', "2"]);
    assert.deepEqual(plain.take(), ["1", "2"]);
    assert.deepEqual(own.take(), ["1", "reset", "2"]);
    const back = new MemoryChannel();
    store.addToGroup("g", back.channel, undefined, { since: id });
    await turns();
    assert.deepEqual(back.take(), ["2"]);
  });

  it("rejects messages that the broker did not confirm, and reports a subscription that has to be tried again", async () => {
    const told: unknown[] = [];
    const backplane = new MemoryBackplane();
    const store = createChannelStore({ backplane, onError: (error) => told.push((error as { code: string }).code) });
    await backplane.close();
    store.addToGroup("g", new MemoryChannel().channel);
    await assert.rejects(store.publish("g", "x"), { code: "BACKPLANE_UNAVAILABLE" });
    await assert.rejects(store.history("g"), { code: "BACKPLANE_UNAVAILABLE" });
    assert.deepEqual(told, ["BACKPLANE_UNAVAILABLE"]);
    await store.close();
  });
});
