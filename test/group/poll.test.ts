// pollGroup: a request waits for messages that its client has not received; nothing is lost between two polls.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { afterReads } from "../../src/base/after-reads.ts";
import { type ChannelStore, createChannelStore, event, json, MemoryBackplane, pollGroup } from "../../src/index.ts";
import { testServer, VirtualClock } from "../../src/testing/index.ts";
import type { RawClient, RawResponse } from "../support/raw-client.ts";
import { request, type Site, serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";

interface Answer {
  readonly messages: { readonly id: string; readonly data: unknown; readonly event?: string }[];
  readonly next: string;
  readonly reset: boolean;
}

function polling(t: TestContext, store: ChannelStore): Promise<Site> {
  return serving(t, (r) => pollGroup(r, store, "g"));
}

function answerOf(response: RawResponse): Answer {
  assert.equal(response.status, 200);
  assert.deepEqual(response.headers.get("content-type"), ["application/json; charset=utf-8"]);
  assert.deepEqual(response.headers.get("cache-control"), ["no-store"]);
  return JSON.parse(response.text) as Answer;
}

async function poll(site: Site, since?: string): Promise<Answer> {
  const query = since === undefined ? "" : `?since=${encodeURIComponent(since)}`;
  return answerOf(await site.request(`GET /${query}`));
}

/** A poll that waits. */
async function park(site: Site, store: ChannelStore, since: string): Promise<RawClient> {
  const before = store.size("g");
  const client = await site.connect();
  client.write(request(`GET /?since=${encodeURIComponent(since)}`));
  await until(() => store.size("g") > before, "it waits");
  return client;
}

for (const [name, make] of [
  ["without a backplane", () => createChannelStore()],
  ["with a backplane", () => createChannelStore({ backplane: new MemoryBackplane() })],
] as const) {
  describe(`pollGroup ${name}`, () => {
    it("tells a client without an id the position of the group at once", async (t) => {
      const store = make();
      const site = await polling(t, store);
      await store.publish("g", "before");
      const first = await poll(site);
      assert.deepEqual([first.messages, first.reset], [[], false]);
      const { id } = await store.publish("g", "after");
      assert.deepEqual(await poll(site, first.next), { messages: [{ id, data: "after" }], next: id, reset: false });
    });

    it("answers a poll that a message has just reached when the store is closed in the same turn", async (t) => {
      const store = make();
      const site = await polling(t, store);
      await store.publish("g", "before");
      const first = await poll(site);
      const client = await park(site, store, first.next);
      const published = store.publish("g", "bye");
      const { id } = await published;
      await store.close();
      assert.deepEqual(answerOf(await client.response()).messages, [{ id, data: "bye" }]);
    });

    it("returns all kept messages for an empty since", async (t) => {
      const store = make();
      const site = await polling(t, store);
      const ids: string[] = [];
      for (const message of ["a", json({ n: 1 }), event({ event: "e", data: "x" }), Uint8Array.of(0xff)]) {
        ids.push((await store.publish("g", message)).id);
      }
      assert.deepEqual(await poll(site, ""), {
        messages: [
          { id: ids[0], data: "a" },
          { id: ids[1], data: { n: 1 } },
          { id: ids[2], event: "e", data: "x" },
          { id: ids[3], encoding: "base64", data: "/w==" },
        ],
        next: ids[3],
        reset: false,
      });
    });

    it("waits while nothing is new, and answers with all messages of one turn", async (t) => {
      const store = make();
      const site = await polling(t, store);
      const { next } = await poll(site);
      const clients = [await park(site, store, next), await park(site, store, next)];
      const published = [store.publish("g", "1"), store.publish("g", "2")];
      const [one, two] = await Promise.all(published);
      for (const client of clients) {
        assert.deepEqual(answerOf(await client.response()), {
          messages: [
            { id: one!.id, data: "1" },
            { id: two!.id, data: "2" },
          ],
          next: two!.id,
          reset: false,
        });
      }
      await until(() => store.size("g") === 0, "both have left");
      // The connection can be used again.
      clients[0]!.write(request(`GET /?since=${encodeURIComponent(one!.id)}`));
      assert.equal(answerOf(await clients[0]!.response()).next, two!.id);
    });

    it("reports a reset for an unknown id, with all kept messages", async (t) => {
      const store = make();
      const site = await polling(t, store);
      const { id } = await store.publish("g", "kept");
      assert.deepEqual(await poll(site, "unknown"), { messages: [{ id, data: "kept" }], next: id, reset: true });
    });

    it("is answered by a broadcast, which has no id and does not change the position", async (t) => {
      const store = make();
      const site = await polling(t, store);
      const { id } = await store.publish("g", "kept");
      const client = await park(site, store, id);
      assert.equal(store.broadcast("g", { n: 1 }), 1);
      const response = await client.response();
      assert.equal(response.text, `{"messages":[{"data":{"n":1}}],"next":${JSON.stringify(id)},"reset":false}`);
    });

    it("loses and doubles nothing between polls", async (t) => {
      const store = make();
      const site = await polling(t, store);
      let { next } = await poll(site);
      const client = await site.connect();
      const had: unknown[] = [];
      let published = 0;
      const publishing = (async () => {
        while (published < 200) {
          for (let i = 0; i < 1 + (published % 3); i++) void store.publish("g", published++);
          for (let i = published % 5; i > 0; i--) await new Promise<void>(afterReads);
        }
      })();
      while (had.length < published || published < 200) {
        client.write(request(`GET /?since=${encodeURIComponent(next)}`));
        const answer = answerOf(await client.response());
        assert.equal(answer.reset, false);
        had.push(...answer.messages.map(({ data }) => data));
        next = answer.next;
      }
      await publishing;
      assert.deepEqual(
        had,
        Array.from({ length: published }, (_, i) => i),
      );
    });

    it("is removed when its client leaves", async (t) => {
      const store = make();
      const site = await polling(t, store);
      const { next } = await poll(site);
      const client = await park(site, store, next);
      client.destroy();
      await until(() => store.size("g") === 0, "it has left");
    });

    it("is answered with 204 when the store closes", async (t) => {
      const store = make();
      const site = await polling(t, store);
      const { next } = await poll(site);
      const client = await park(site, store, next);
      await store.close();
      assert.equal((await client.response()).status, 204);
    });
  });
}

describe("pollGroup", () => {
  it("answers 204 after parkMs, a second late at most, and not before", async (t) => {
    const clock = new VirtualClock();
    const store = createChannelStore({ clock });
    const app = testServer((r) => pollGroup(r, store, "g", { parkMs: 10_000 }), { clock });
    t.after(() => app.stop());
    const { next } = (await (await app.fetch("/")).json()) as { next: string };
    const asked = app.fetch(`/?since=${encodeURIComponent(next)}`);
    await app.advance(9999);
    assert.equal(store.size("g"), 1);
    await app.advance(1001);
    const response = await asked;
    assert.deepEqual([response.status, await response.text()], [204, ""]);
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.deepEqual(store.groups(), []);
  });

  it("shows the headers of its options on every answer, each once", async (t) => {
    const clock = new VirtualClock();
    const store = createChannelStore({ clock });
    const headers = { "X-Own": "yes", "Cache-Control": "private", "Access-Control-Allow-Origin": "https://a.example" };
    const app = testServer((r) => pollGroup(r, store, "g", { parkMs: 10_000, headers }), { clock });
    t.after(() => app.stop());
    const ask = async (since?: string, meanwhile?: () => unknown): Promise<[number, string]> => {
      const asked = app.fetch(since === undefined ? "/" : `/?since=${encodeURIComponent(since)}`);
      if (meanwhile !== undefined) {
        while (store.size("g") === 0) await app.advance(0);
        await meanwhile();
      }
      const response = await asked;
      assert.equal(response.headers.get("x-own"), "yes");
      assert.equal(response.headers.get("access-control-allow-origin"), "https://a.example");
      assert.equal(response.headers.get("cache-control")?.includes(","), false, "once");
      return [response.status, await response.text()];
    };
    const [, first] = await ask();
    const { next } = JSON.parse(first) as { next: string };
    assert.equal((await ask(next, () => store.publish("g", "live")))[0], 200);
    assert.match((await ask(next))[1], /"live"/);
    assert.match((await ask("unknown"))[1], /"reset":true/);
    assert.match((await ask("", undefined))[1], /"live"/);
    const last = (JSON.parse((await ask(next))[1]) as { next: string }).next;
    assert.match((await ask(last, () => store.broadcast("g", "all")))[1], /"all"/);
    assert.equal((await ask(last, () => app.advance(11_000)))[0], 204);
    const failing = (): string => {
      throw new Error("of the application");
    };
    const fail = (): Promise<void> => {
      store.broadcast("g", failing);
      return app.advance(11_000);
    };
    assert.equal((await ask(last, fail))[0], 204);
    assert.equal((await ask(last, () => store.close()))[0], 204);
    assert.equal((await ask(last))[0], 204, "of a store that is closed");
  });

  it("drops old messages and reports a reset", async (t) => {
    const clock = new VirtualClock();
    const store = createChannelStore({ history: { ttlMs: 5000 }, clock });
    const site = await polling(t, store);
    const { id } = await store.publish("g", "old");
    await store.publish("g", "old too");
    clock.advance(6000);
    assert.deepEqual(await store.history("g", id), { messages: [], reset: true });
    const { messages, reset } = await poll(site, id);
    assert.deepEqual([messages, reset], [[], true]);
    clock.advance(2000);
    assert.equal(clock.pending, 0, "no timer runs for a group that is empty");
  });

  it("refuses a foreign store and a time that is not a number", async (t) => {
    const store = createChannelStore();
    const site = await serving(t, (r) =>
      pollGroup(r, r.path === "/a" ? ({} as ChannelStore) : store, "g", { parkMs: r.path === "/b" ? -1 : 1000 }),
    );
    for (const path of ["/a", "/b"]) {
      assert.equal((await site.request(`GET ${path}`)).status, 500);
      assert.match(site.takeMessages().join(), /pollGroup needs a store|parkMs is -1/);
    }
  });
});
