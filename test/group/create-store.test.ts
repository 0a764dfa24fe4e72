// The seed's ChannelStore (C1–C6) and the points that it leaves open: snapshots, failures of single members, streams.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type Channel,
  type ChannelStore,
  createChannelStore,
  json,
  MemoryChannelStore,
  withChannel,
} from "../../src/index.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import type { RawClient } from "../support/raw-client.ts";
import { request, type Site, serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

const GROUP = "news";

interface Member {
  since?: string;
}

/** A site whose channels join the group of their path with their `?since=`. */
async function joining(t: TestContext, store: ChannelStore<Member>): Promise<{ site: Site; channels: Channel[] }> {
  const channels: Channel[] = [];
  const site = await serving(t, (r) =>
    withChannel(r, (channel) => {
      channels.push(channel);
      const since = r.query.get("since");
      store.addToGroup(r.path.slice(1), channel, since === null ? {} : { since });
      if (r.query.has("stream")) channel.send("begun ", false);
    }),
  );
  return { site, channels };
}

async function poll(site: Site, store: ChannelStore<Member>, target = `/${GROUP}`, fields = ""): Promise<RawClient> {
  const group = /^\/([^?]*)/.exec(target)![1]!;
  const before = store.size(group);
  const client = await site.connect();
  client.write(request(`GET ${target} HTTP/1.1${fields}`));
  await until(() => store.size(group) > before, "it has joined");
  return client;
}

async function socket(
  t: TestContext,
  site: Site,
  store: ChannelStore<Member>,
  target = `/${GROUP}`,
): Promise<WsClient> {
  const group = /^\/([^?]*)/.exec(target)![1]!;
  const before = store.size(group);
  const client = await WsClient.open(t, site.target, { path: target });
  await until(() => store.size(group) > before, "it has joined");
  return client;
}

describe("a store of groups", () => {
  it("is made by createChannelStore and by the seed's class (C1)", () => {
    for (const store of [createChannelStore(), new MemoryChannelStore()]) {
      assert.ok(store instanceof MemoryChannelStore);
      assert.deepEqual(store.groups(), []);
      assert.equal(store.size(GROUP), 0);
      assert.deepEqual(store.members(GROUP), []);
    }
  });

  it("keeps an attachment for each channel; the same channel again replaces it (C2)", async (t) => {
    const store = createChannelStore<Member>();
    const { site, channels } = await joining(t, store);
    await poll(site, store, `/${GROUP}?since=1`);
    await poll(site, store, `/${GROUP}?since=2`);
    assert.deepEqual(store.members(GROUP), [
      [channels[0], { since: "1" }],
      [channels[1], { since: "2" }],
    ]);
    store.addToGroup(GROUP, channels[0]!, { since: "3" });
    assert.equal(store.size(GROUP), 2);
    assert.deepEqual(new Map(store.members(GROUP)).get(channels[0]!), { since: "3" });
    store.addToGroup(GROUP, channels[1]!);
    assert.equal(new Map(store.members(GROUP)).get(channels[1]!), undefined);
  });

  it("removes a channel, drops the group with its last channel, and ignores unknown channels (C3)", async (t) => {
    const store = createChannelStore<Member>();
    const { site, channels } = await joining(t, store);
    await poll(site, store);
    await poll(site, store);
    assert.equal(store.removeFromGroup(GROUP, channels[0]!), true);
    assert.equal(store.removeFromGroup(GROUP, channels[0]!), false);
    assert.deepEqual(store.groups(), [GROUP]);
    assert.equal(store.removeFromGroup("other", channels[1]!), false);
    assert.equal(store.removeFromGroup(GROUP, channels[1]!), true);
    assert.deepEqual(store.groups(), []);
    assert.equal(channels[1]!.isOpen, true);
  });

  it("has a channel in several groups", async (t) => {
    const store = createChannelStore<Member>();
    const { site, channels } = await joining(t, store);
    const client = await socket(t, site, store, "/a");
    store.addToGroup("b", channels[0]!, { since: "b" });
    assert.deepEqual([...store.groups()].sort(), ["a", "b"]);
    assert.equal(store.broadcast("b", "to b"), 1);
    assert.equal(await client.message(), "to b");
    assert.equal(store.removeFromGroup("a", channels[0]!), true);
    assert.deepEqual(store.groups(), ["b"]);
    client.close(1000);
    await until(() => store.groups().length === 0, "it has left all");
  });

  it("sends the function's result for each member's attachment as JSON (C4, C5)", async (t) => {
    const store = createChannelStore<Member>();
    const { site, channels } = await joining(t, store);
    const clients = [await poll(site, store, `/${GROUP}?since=1`), await poll(site, store, `/${GROUP}?since=2`)];
    const ws = await socket(t, site, store, `/${GROUP}?since=3`);
    const calls: unknown[] = [];
    const reached = store.broadcast(GROUP, (channel, attachment) => {
      calls.push(channel, attachment?.since);
      return { after: Number(attachment?.since) };
    });
    assert.equal(reached, 3);
    assert.deepEqual(
      calls,
      channels.flatMap((channel, i) => [channel, `${i + 1}`]),
    );
    for (const [i, client] of clients.entries()) {
      const response = await client.response();
      assert.deepEqual([response.status, response.text], [200, `{"after":${i + 1}}`]);
      assert.deepEqual(response.headers.get("content-type"), ["application/json; charset=utf-8"]);
    }
    assert.equal(await ws.message(), '{"after":3}');
  });

  it("answers and closes plain HTTP channels, which then leave; WebSockets and event streams stay (C4, C6)", async (t) => {
    const store = createChannelStore<Member>();
    const { site, channels } = await joining(t, store);
    const polled = await poll(site, store);
    const events = await poll(site, store, `/${GROUP}`, "\r\nAccept: text/event-stream");
    const ws = await socket(t, site, store);
    assert.equal(store.broadcast(GROUP, ["one"]), 3);
    assert.equal((await polled.response()).text, '["one"]');
    assert.equal(await ws.message(), '["one"]');
    await events.head();
    assert.equal((await events.chunk())?.toString(), 'data: ["one"]\n\n');
    await until(() => store.size(GROUP) === 2, "the poll has left");
    assert.deepEqual(
      channels.map(({ isOpen }) => isOpen),
      [false, true, true],
    );
    assert.equal(store.broadcast(GROUP, ["two"]), 2);
    assert.equal((await events.chunk())?.toString(), 'data: ["two"]\n\n');
    assert.equal(await ws.message(), '["two"]');
    polled.write(request(`GET /${GROUP}`));
    await until(() => store.size(GROUP) === 3, "the next poll is there, on the same connection");
  });

  it("ends a plain stream with the broadcast, whole", async (t) => {
    const store = createChannelStore<Member>();
    const { site } = await joining(t, store);
    const client = await poll(site, store, `/${GROUP}?stream`);
    assert.equal(store.broadcast(GROUP, "last"), 1);
    assert.equal((await client.response()).text, "begun last");
  });

  it("sends text, bytes and maps with a body as they are, other values as JSON", async (t) => {
    const store = createChannelStore<Member>();
    const { site } = await joining(t, store);
    const client = await socket(t, site, store);
    for (const [data, text] of [
      ["text", "text"],
      [{ body: "in a map", status: 201 }, "in a map"],
      [json({ n: 1 }), '{"n":1}'],
      [{ n: 1 }, '{"n":1}'],
      [{ body: "x", other: 1 }, '{"body":"x","other":1}'],
      // An object whose prototype is a literal is no literal itself.
      [Object.assign(Object.create({ body: "of the prototype" }), { status: 201 }), '{"status":201}'],
      [[1, "2"], '[1,"2"]'],
      [7, "7"],
      [true, "true"],
      [null, "null"],
    ] as const) {
      assert.equal(store.broadcast(GROUP, data), 1);
      assert.equal(await client.message(), text);
      assert.equal(
        store.broadcast(GROUP, () => data),
        1,
      );
      assert.equal(await client.message(), text);
    }
    assert.equal(store.broadcast(GROUP, Uint8Array.of(1, 2)), 1);
    assert.deepEqual(await client.message(), Buffer.of(1, 2));
  });

  it("sends nothing to a member for which the function returns undefined", async (t) => {
    const store = createChannelStore<Member>();
    const { site } = await joining(t, store);
    const client = await socket(t, site, store, `/${GROUP}?since=1`);
    await poll(site, store, `/${GROUP}?since=2`);
    assert.equal(
      store.broadcast(GROUP, (_, attachment) => (attachment?.since === "1" ? "for you" : undefined)),
      1,
    );
    assert.equal(await client.message(), "for you");
    assert.equal(store.size(GROUP), 2);
  });

  it("reaches nobody in a group that does not exist", () => {
    const store = createChannelStore();
    let calls = 0;
    assert.equal(
      store.broadcast("nobody", () => void (calls += 1)),
      0,
    );
    assert.equal(store.broadcast("nobody", "text"), 0);
    assert.equal(calls, 0);
    assert.deepEqual(store.groups(), []);
  });

  it("encodes a value once for all members", async (t) => {
    const store = createChannelStore<Member>();
    const { site } = await joining(t, store);
    const clients = [await socket(t, site, store), await socket(t, site, store), await poll(site, store)] as const;
    let encodings = 0;
    const value = {
      toJSON() {
        encodings += 1;
        return { encoded: encodings };
      },
    };
    assert.equal(store.broadcast(GROUP, value), 3);
    assert.equal(await clients[0].message(), '{"encoded":1}');
    assert.equal(await clients[1].message(), '{"encoded":1}');
    assert.equal((await clients[2].response()).text, '{"encoded":1}');
    assert.equal(encodings, 1);
  });

  for (const [how, go] of [
    ["leaves", (client: RawClient) => client.end()],
    ["is lost", (client: RawClient) => client.reset()],
  ] as const) {
    it(`forgets a channel whose client ${how}, and an empty group with it (C6)`, async (t) => {
      const store = createChannelStore<Member>();
      const { site } = await joining(t, store);
      const first = await poll(site, store);
      const second = await socket(t, site, store);
      go(first);
      await until(() => store.size(GROUP) === 1, "the first has left");
      go(second.raw);
      await until(() => store.groups().length === 0, "the group is gone");
    });
  }

  it("does not keep a channel that closed before it was added", async (t) => {
    const store = createChannelStore<Member>();
    const { site, channels } = await joining(t, store);
    const client = await poll(site, store);
    client.destroy();
    await until(() => store.size(GROUP) === 0, "it has left");
    store.addToGroup(GROUP, channels[0]!);
    assert.deepEqual([store.size(GROUP), store.groups()], [0, []]);
  });

  it("sends to a snapshot: joins and leaves during the broadcast change nothing (C4)", async (t) => {
    const store = createChannelStore<Member>();
    const { site, channels } = await joining(t, store);
    const clients: WsClient[] = [];
    for (let i = 0; i < 3; i++) clients.push(await socket(t, site, store));
    await socket(t, site, store, "/others");
    const calls: number[] = [];
    const reached = store.broadcast(GROUP, (channel) => {
      calls.push(channels.indexOf(channel));
      store.addToGroup(GROUP, channels[3]!, {});
      for (const one of channels.slice(0, 3)) store.removeFromGroup(GROUP, one);
      return "to all of the snapshot";
    });
    assert.deepEqual([reached, calls], [3, [0, 1, 2]]);
    for (const client of clients) assert.equal(await client.message(), "to all of the snapshot");
    assert.deepEqual(
      store.members(GROUP).map(([channel]) => channel),
      [channels[3]],
    );
  });

  it("asks with the attachments that members had when the broadcast began (C4)", () => {
    const store = createChannelStore<number>();
    const members = [new MemoryChannel(), new MemoryChannel()].map(({ channel }) => channel);
    for (const [index, channel] of members.entries()) store.addToGroup(GROUP, channel, index);
    const asked: unknown[] = [];
    store.broadcast(GROUP, (_, attachment) => {
      asked.push(attachment);
      for (const channel of members) store.addToGroup(GROUP, channel, 7);
      return undefined;
    });
    assert.deepEqual(asked, [0, 1]);
  });

  it("returns snapshots of its members and groups", async (t) => {
    const store = createChannelStore<Member>();
    const { site, channels } = await joining(t, store);
    await poll(site, store);
    const [members, groups] = [store.members(GROUP), store.groups()];
    store.removeFromGroup(GROUP, channels[0]!);
    assert.deepEqual([members.length, groups.length], [1, 1]);
  });

  it("sends to the other members when one fails, and reports the failure", async (t) => {
    const told: unknown[] = [];
    const store = createChannelStore<Member>({
      onError: (error, { group, channel }) => told.push((error as Error).message, group, channel),
    });
    const { site, channels } = await joining(t, store);
    const clients = [await socket(t, site, store), await socket(t, site, store), await socket(t, site, store)];
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    const reached = store.broadcast(GROUP, (channel) => {
      if (channel === channels[0]) throw new Error("boom");
      return channel === channels[1] ? loop : "good";
    });
    assert.equal(reached, 1);
    assert.equal(await clients[2]!.message(), "good");
    assert.deepEqual(told.slice(0, 3), ["boom", GROUP, channels[0]]);
    assert.equal(told[5], channels[1]);
    assert.equal(store.size(GROUP), 3);
  });

  it("does not count a member that has just closed", async (t) => {
    const store = createChannelStore<Member>();
    const { site, channels } = await joining(t, store);
    await socket(t, site, store);
    const other = await socket(t, site, store);
    channels[0]!.close();
    assert.equal(store.broadcast(GROUP, "hello"), 1);
    assert.equal(await other.message(), "hello");
  });

  it("reaches every member once, 50 times in order", async (t) => {
    const store = createChannelStore<Member>();
    const { site, channels } = await joining(t, store);
    const clients: WsClient[] = [];
    for (let i = 0; i < 10; i++) clients.push(await socket(t, site, store));
    for (let i = 0; i < 50; i++) assert.equal(store.broadcast(GROUP, `${i}`), 10);
    for (const client of clients) {
      for (let i = 0; i < 50; i++) assert.equal(await client.message(), `${i}`);
    }
    assert.equal(channels.length, 10);
  });
});
