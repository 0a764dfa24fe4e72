// Limits on the memory of histories: of one group, and of all groups of a store.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HistoryBudget } from "../../src/group/history-budget.ts";
import { GroupLog } from "../../src/group/log.ts";
import { GroupEntry, groupMessage } from "../../src/group/message.ts";
import {
  ChannelError,
  type ChannelStore,
  createChannelStore,
  event,
  json,
  MemoryBackplane,
  pollGroup,
} from "../../src/index.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";

const KIB = "x".repeat(1024);

async function kept(store: ChannelStore, group = "g"): Promise<unknown[]> {
  return (await store.history(group)).messages.map(({ data }) => data);
}

function texts(member: MemoryChannel): unknown[] {
  return member.sent.map(({ body }) => body);
}

describe("the history of a group", () => {
  it("keeps messages of exactly `maxBytes`, and drops the oldest for one byte more", async () => {
    const store = createChannelStore({ history: { maxBytes: 300 } });
    const said = ["a".repeat(100), "b".repeat(100), "c".repeat(100)];
    const ids: string[] = [];
    for (const text of said) ids.push((await store.publish("g", text)).id);
    assert.deepEqual(await kept(store), said);
    await store.publish("g", "d".repeat(101));
    assert.deepEqual(await kept(store), [said[2], "d".repeat(101)]);
    assert.deepEqual(
      await Promise.all(ids.map(async (id) => (await store.history("g", id)).reset)),
      [true, false, false],
      "only who has not had the second has missed something",
    );
  });

  it("counts two bytes for each character of a text with one above U+00FF, and one for others", async () => {
    for (const [text, count] of [
      ["é".repeat(100), 3],
      ["€".repeat(100), 1],
      [`${"x".repeat(99)}€`, 1],
    ] as const) {
      const store = createChannelStore({ history: { maxBytes: 300 } });
      for (let n = 0; n < 5; n++) await store.publish("g", text);
      assert.equal((await kept(store)).length, count, text.slice(-2));
    }
  });

  it("counts bytes, JSON text, and types of events", async () => {
    for (const message of [
      new Uint8Array(100),
      json("j".repeat(98)),
      event({ event: "e".repeat(50), data: "d".repeat(50) }),
    ]) {
      const store = createChannelStore({ history: { maxBytes: 300 } });
      for (let n = 0; n < 5; n++) await store.publish("g", message);
      assert.equal((await kept(store)).length, 3);
    }
  });

  it("counts at least 64 bytes for each message", async () => {
    const store = createChannelStore({ history: { maxBytes: 640, size: 1000 } });
    for (let n = 0; n < 50; n++) await store.publish("g", "");
    assert.equal((await kept(store)).length, 10);
  });

  it("delivers a message that is larger than the whole history, keeps nothing, and tells clients that ask from before", async () => {
    const store = createChannelStore({ history: { maxBytes: 1000 } });
    const member = new MemoryChannel("websocket");
    store.addToGroup("g", member.channel);
    const before = (await store.publish("g", "small")).id;
    const large = (await store.publish("g", KIB)).id;
    assert.deepEqual(texts(member), ["small", KIB]);
    assert.deepEqual(await store.history("g"), { messages: [], reset: false });
    assert.deepEqual(await store.history("g", before), { messages: [], reset: true });
    assert.deepEqual(await store.history("g", large), { messages: [], reset: false });
  });

  it("has limits by default: 1 MiB for each group", async () => {
    const store = createChannelStore({ history: { size: 1e6 } });
    for (let n = 0; n < 1100; n++) await store.publish("g", KIB);
    assert.equal((await kept(store)).length, 1024);
  });

  it("tells a member and a poll that ask for dropped messages", async (t) => {
    const store = createChannelStore({ history: { maxBytes: 2048 } });
    const before = (await store.publish("g", "before")).id;
    await store.publish("g", "lost");
    for (const last of ["1", "2"]) await store.publish("g", KIB.slice(1) + last);
    const member = new MemoryChannel("websocket");
    store.addToGroup("g", member.channel, undefined, { since: before });
    assert.deepEqual(texts(member), ['{"group":"g","reset":true}', `${KIB.slice(1)}1`, `${KIB.slice(1)}2`]);
    const site = await serving(t, (request) => pollGroup(request, store, "g"));
    const answer = await site.request(`GET /?since=${encodeURIComponent(before)}`);
    const { messages, reset } = JSON.parse(answer.text) as { messages: unknown[]; reset: boolean };
    assert.deepEqual([messages.length, reset], [2, true]);
  });
});

describe("the histories of all groups of a store", () => {
  it("drop the oldest message of all groups beyond `maxTotalBytes`", async () => {
    const store = createChannelStore({ history: { maxTotalBytes: 400 } });
    const say = (group: string, text: string) => store.publish(group, text.repeat(100));
    const first = (await say("a", "1")).id;
    await say("b", "2");
    await say("a", "3");
    await say("b", "4");
    assert.equal((await kept(store, "a")).length + (await kept(store, "b")).length, 4);
    await say("c", "5");
    assert.deepEqual(await kept(store, "a"), ["3".repeat(100)]);
    assert.equal((await store.history("a", first)).reset, false, "it has had the one that is gone");
    assert.equal((await kept(store, "b")).length, 2);
    await say("c", "6");
    await say("c", "7");
    assert.deepEqual(await kept(store, "a"), []);
    assert.equal((await store.history("a", first)).reset, true);
    assert.deepEqual(await kept(store, "b"), ["4".repeat(100)]);
    assert.equal((await kept(store, "c")).length, 3);
  });

  it("have room again when messages are too old, or over the limits of their group", async () => {
    const budget = new HistoryBudget(1000);
    const compare = (a: string, b: string) => Number(a) - Number(b);
    const limits = { size: 2, ttlMs: 100, maxBytes: 500 };
    const logs = [1, 2].map(() => new GroupLog(undefined, limits, budget, compare));
    const entry = (id: number, atMs: number) => new GroupEntry(String(id), groupMessage("text", "x".repeat(100)), atMs);
    for (let id = 1; id <= 10; id++) for (const log of logs) log.append(entry(id, id));
    assert.equal(budget.bytes, 400);
    logs[0]!.expire(109);
    assert.equal(budget.bytes, 300);
    logs[0]!.interrupt();
    assert.equal(budget.bytes, 200);
    logs[1]!.clear();
    assert.equal(budget.bytes, 0);
    logs[1]!.append(entry(11, 11));
    assert.equal(budget.bytes, 100);
  });

  it("hold no more than the limit for any number of groups", async () => {
    const store = createChannelStore({ history: { maxTotalBytes: 100 * 1024 } });
    for (let n = 0; n < 1000; n++) await store.publish(`g${n}`, KIB);
    const counts = await Promise.all(Array.from({ length: 1000 }, async (_, n) => (await kept(store, `g${n}`)).length));
    assert.deepEqual(
      counts,
      Array.from({ length: 1000 }, (_, n) => (n < 900 ? 0 : 1)),
    );
    await store.close();
  });
});

describe("the number of groups that have a history", () => {
  it("is limited too, as a group takes memory beside its messages: one for each KiB of `maxTotalBytes`, at least 1,000", async () => {
    for (const [maxTotalBytes, most] of [
      [100 * 1024, 1000],
      [1500 * 1024, 1500],
    ] as const) {
      const store = createChannelStore({ history: { maxTotalBytes } });
      const stays = new MemoryChannel("websocket");
      store.addToGroup("g0", stays.channel);
      for (let n = 0; n < 2000; n++) await store.publish(`g${n}`, "x");
      const counts = await Promise.all(
        Array.from({ length: 2000 }, async (_, n) => (await kept(store, `g${n}`)).length),
      );
      assert.deepEqual(
        counts,
        Array.from({ length: 2000 }, (_, n) => (n < 2000 - most ? 0 : 1)),
      );
      assert.deepEqual(store.groups(), ["g0"], "a group with a member stays");
      await store.publish("g0", "y");
      assert.deepEqual(texts(stays), ["x", "y"]);
      await store.close();
    }
  });
});

describe("the memory that a process keeps beside a backplane", () => {
  it("is limited as well: clients that ask for older messages receive them from the backplane", async () => {
    for (const limits of [{ maxBytes: 300 }, { maxTotalBytes: 300 }]) {
      let asked = 0;
      class Asked extends MemoryBackplane {
        override history(group: string, since?: string) {
          asked += 1;
          return super.history(group, since);
        }
      }
      const store = createChannelStore({ backplane: new Asked(), history: limits });
      const listener = new MemoryChannel("websocket");
      store.addToGroup("g", listener.channel);
      const said = ["a", "b", "c", "d", "e"].map((letter) => letter.repeat(100));
      const ids: string[] = [];
      for (const text of said) ids.push((await store.publish("g", text)).id);
      await until(() => texts(listener).length === 5, "all are heard");
      const near = new MemoryChannel("websocket");
      store.addToGroup("g", near.channel, undefined, { since: ids[1]! });
      assert.deepEqual([texts(near), asked], [said.slice(2), 0], "what is kept here is all");
      const far = new MemoryChannel("websocket");
      store.addToGroup("g", far.channel, undefined, { since: ids[0]! });
      await until(() => texts(far).length === 4, "what is kept there follows");
      assert.deepEqual([texts(far), asked], [said.slice(1), 1]);
      await store.close();
    }
  });

  it("may be zero", async () => {
    const store = createChannelStore({ backplane: new MemoryBackplane(), history: { maxBytes: 0, maxTotalBytes: 0 } });
    const listener = new MemoryChannel("websocket");
    store.addToGroup("g", listener.channel);
    const { id } = await store.publish("g", "one");
    await store.publish("g", "two");
    const later = new MemoryChannel("websocket");
    store.addToGroup("g", later.channel, undefined, { since: id });
    await until(() => texts(later).length === 1, "the backplane has it");
    await store.publish("g", "three");
    await until(() => texts(later).length === 2 && texts(listener).length === 3, "and then what is live");
    assert.deepEqual(
      [texts(listener), texts(later)],
      [
        ["one", "two", "three"],
        ["two", "three"],
      ],
    );
    await store.close();
  });
});

describe("limits of a history", () => {
  it("are numbers from 0 on", () => {
    for (const name of ["maxBytes", "maxTotalBytes"]) {
      for (const value of [-1, Number.NaN, "1", null]) {
        assert.throws(
          () => createChannelStore({ history: { [name]: value } as object }),
          (error) => error instanceof ChannelError && error.code === "BAD_OPTION",
        );
      }
      for (const value of [0, 1, Number.POSITIVE_INFINITY]) createChannelStore({ history: { [name]: value } });
    }
    assert.throws(() => createChannelStore({ history: { maxbytes: 1 } as object }), { code: "BAD_OPTION" });
  });
});
