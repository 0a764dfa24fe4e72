// The event store for the Model Context Protocol: what it keeps, replays and refuses, in one process and over a backplane.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createChannelStore, MemoryBackplane } from "../../src/index.ts";
import { type McpEventStore, mcpEventStore } from "../../src/mcp.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { deferred } from "../support/wait.ts";

let alive: NodeJS.Timeout;
before(() => (alive = setInterval(() => {}, 1000)));
after(() => clearInterval(alive));

const note = (i: number): object => ({ jsonrpc: "2.0", method: "notifications/message", params: { data: i } });

/** The messages that a replay sends, and the stream that it names. */
async function replay(
  events: McpEventStore,
  lastEventId: string,
): Promise<{ stream: string; sent: [string, unknown][] }> {
  const sent: [string, unknown][] = [];
  const stream = await events.replayEventsAfter(lastEventId, {
    send: async (id, message) => void sent.push([id, message]),
  });
  return { stream, sent };
}

describe("mcpEventStore", () => {
  for (const [kind, isShared] of [
    ["of one process", false],
    ["of two processes", true],
  ] as const) {
    it(`replays the events of a stream that follow an id, in order and with their ids, and no others (${kind})`, async () => {
      const broker = new MemoryBackplane();
      const open = () => createChannelStore(isShared ? { backplane: broker.share() } : {});
      const first = open();
      const second = isShared ? open() : first;
      const events = mcpEventStore(first, "session");
      const ids: string[] = [];
      for (let i = 0; i < 10; i++) {
        ids.push(await events.storeEvent("a", note(i)));
        await events.storeEvent("b", note(100 + i));
      }
      const { stream, sent } = await replay(mcpEventStore(second, "session"), ids[3]!);
      assert.equal(stream, "a");
      assert.deepEqual(
        sent,
        [4, 5, 6, 7, 8, 9].map((i) => [ids[i], note(i)]),
      );
      assert.deepEqual((await replay(events, ids[9]!)).sent, []);
      await first.close();
      await second.close();
    });
  }

  it("replays no event of another session, although its streams have the same names", async () => {
    const store = createChannelStore();
    const [ann, bob] = [mcpEventStore(store, "ann"), mcpEventStore(store, "bob")];
    const id = await ann.storeEvent("_GET_stream", note(1));
    await ann.storeEvent("_GET_stream", note(2));
    await bob.storeEvent("_GET_stream", note(3));
    const { sent } = await replay(bob, id);
    assert.deepEqual(
      sent.map(([, message]) => message),
      [note(3)],
    );
    const [one, other] = [mcpEventStore(store, "1:a"), mcpEventStore(store, "1")];
    const of = await one.storeEvent("b", note(4));
    await one.storeEvent("b", note(5));
    const forged = Buffer.from(of, "base64url").toString().replace("1:b", "3:a:b");
    assert.deepEqual((await replay(other, Buffer.from(forged).toString("base64url"))).sent, []);
  });

  it("does not replay a message that the SDK stores for its id alone", async () => {
    const events = mcpEventStore(createChannelStore(), "session");
    const first = await events.storeEvent("a", {});
    await events.storeEvent("a", note(1));
    await events.storeEvent("a", {});
    assert.deepEqual(
      (await replay(events, first)).sent.map(([, message]) => message),
      [note(1)],
    );
  });

  it("refuses a text that is no id, and one whose events are not kept any more", async () => {
    const clock = new VirtualClock();
    const store = createChannelStore({ clock, history: { size: 3, ttlMs: 60_000 } });
    const events = mcpEventStore(store, "session");
    for (const text of ["", "x", "id", "MTph", "!!!", "9".repeat(5000), Buffer.from("1:a").toString("base64url")]) {
      await assert.rejects(replay(events, text), { code: "BAD_REQUEST" }, text);
    }
    const id = await events.storeEvent("a", note(0));
    for (let i = 1; i <= 3; i++) await events.storeEvent("a", note(i));
    assert.equal((await replay(events, id)).sent.length, 3);
    await events.storeEvent("a", note(4));
    await assert.rejects(replay(events, id), { code: "STREAM_LOST" });
    const last = await events.storeEvent("b", note(0));
    await events.storeEvent("b", note(1));
    clock.advance(61_000);
    await assert.rejects(replay(events, last), { code: "STREAM_LOST" });
  });

  it("holds the result of storeEvent while the stream is replayed, so that the SDK writes the event to the new response", async () => {
    const store = createChannelStore();
    const events = mcpEventStore(store, "session");
    const id = await events.storeEvent("a", note(0));
    await events.storeEvent("a", note(1));
    const sending = deferred();
    const log: string[] = [];
    const replayed = events
      .replayEventsAfter(id, { send: () => sending.promise })
      .then(() => log.push("the response is known"));
    const stored = events.storeEvent("a", note(2)).then(() => log.push("the event is written"));
    await events.storeEvent("b", note(9));
    await new Promise(setImmediate);
    sending.resolve();
    await Promise.all([replayed, stored]);
    assert.deepEqual(log, ["the response is known", "the event is written"]);
    await assert.rejects(events.replayEventsAfter(id, { send: () => Promise.reject(new Error("gone")) }), /gone/);
    await events.storeEvent("a", note(3));
  });

  it("refuses a store and a session that are none", () => {
    assert.throws(() => mcpEventStore({} as never, "s"), { code: "BAD_OPTION" });
    assert.throws(() => mcpEventStore(createChannelStore(), ""), { code: "BAD_OPTION" });
  });
});
