// Groups of typed channels: a store with a codec publishes values, one without sends what it is given as it is.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { z } from "zod";
import {
  type Channel,
  ChannelError,
  type ChannelStore,
  createChannelStore,
  event,
  jsonMessages,
  MemoryBackplane,
  openChannel,
  pollGroup,
  prepare,
} from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

interface Told {
  id: number;
  say: string;
}

let checks = 0;
const { server: codec } = jsonMessages({
  toServer: z.object({ say: z.string() }),
  toClient: z.object({ id: z.number(), say: z.string() }).refine(() => (checks += 1)),
});

const isRefused = (error: unknown): boolean => error instanceof ChannelError && error.code === "BAD_MESSAGE";

/** Two WebSockets with a codec that are members of "room". */
async function pair(t: TestContext, store: ChannelStore<string, Told>): Promise<[WsClient, WsClient]> {
  const site = await serving(t, (r) =>
    openChannel(r, { open: (channel) => store.addToGroup("room", channel, r.path) }, { codec }),
  );
  const clients: [WsClient, WsClient] = [
    await WsClient.open(t, site.target, { path: "/ann" }),
    await WsClient.open(t, site.target, { path: "/bob" }),
  ];
  await until(() => store.size("room") === 2, "both have joined");
  return clients;
}

describe("a store with a codec", () => {
  it("publishes values, which are checked and encoded once for all", async (t) => {
    const store = createChannelStore<string, Told>({ codec });
    const clients = await pair(t, store);
    const before = checks;
    await store.publish("room", { id: 1, say: "hi" });
    assert.equal(checks - before, 1);
    for (const client of clients) assert.equal(await client.message(), '{"id":1,"say":"hi"}');
    const { messages } = await store.history("room");
    assert.deepEqual(messages[0]!.data, { id: 1, say: "hi" });
  });

  it("rejects what its codec refuses, and keeps nothing of it", async () => {
    const store = createChannelStore({ codec });
    // @ts-expect-error: it publishes values
    await assert.rejects(store.publish("room", "hi"), isRefused);
    // @ts-expect-error: a field is missing
    await assert.rejects(store.publish("room", { say: "hi" }), isRefused);
    assert.deepEqual((await store.history("room")).messages, []);
  });

  it("broadcasts values, or one for each member", async (t) => {
    const errors: unknown[] = [];
    const store = createChannelStore<string, Told>({ codec, onError: (error) => errors.push(error) });
    const [ann, bob] = await pair(t, store);
    assert.equal(store.broadcast("room", { id: 1, say: "all" }), 2);
    for (const client of [ann, bob]) assert.equal(await client.message(), '{"id":1,"say":"all"}');
    const reached = store.broadcast("room", (channel, path) => {
      channel.send({ id: 2, say: "first" });
      return path === "/ann" ? { id: 3, say: "ann" } : undefined;
    });
    assert.equal(reached, 1);
    assert.equal(await ann.message(), '{"id":2,"say":"first"}');
    assert.equal(await ann.message(), '{"id":3,"say":"ann"}');
    assert.equal(await bob.message(), '{"id":2,"say":"first"}');
    assert.throws(() => store.broadcast("room", { id: "four" } as never), isRefused);
    assert.equal(
      store.broadcast("room", () => ({ id: "five" }) as never),
      0,
    );
    assert.deepEqual(errors.map(isRefused), [true, true]);
  });

  it("takes what was prepared as it is: an event's type, say", async (t) => {
    const store = createChannelStore<string, Told>({ codec });
    const site = await serving(t, (r) =>
      openChannel(r, { open: (channel) => store.addToGroup("room", channel) }, { codec }),
    );
    const client = await site.connect();
    client.write(request("GET / HTTP/1.1\r\nAccept: text/event-stream"));
    await until(() => store.size("room") === 1, "it has joined");
    const { id } = await store.publish(
      "room",
      prepare(event({ event: "told", data: codec.encode({ id: 1, say: "hi" }) as string })),
    );
    await client.head();
    assert.equal(String(await client.chunk()), `event: told\nid: ${id}\ndata: {"id":1,"say":"hi"}\n\n`);
    store.broadcast("room", prepare(": raw"));
    assert.equal(String(await client.chunk()), "data: : raw\n\n");
  });

  it("answers polls with values", async (t) => {
    const store = createChannelStore({ codec });
    const site = await serving(t, (r) => pollGroup(r, store, "room"));
    const { id } = await store.publish("room", { id: 1, say: "hi" });
    const response = await site.request("GET /?since=");
    assert.deepEqual(JSON.parse(response.body.toString()), {
      messages: [{ id, data: { id: 1, say: "hi" } }],
      next: id,
      reset: false,
    });
  });

  it("shares what it made with the other processes", async (t) => {
    const backplane = new MemoryBackplane();
    const [here, there] = [
      createChannelStore<string, Told>({ codec, backplane }),
      createChannelStore<string, Told>({ codec, backplane: backplane.share() }),
    ];
    t.after(() => Promise.all([here.close(), there.close()]));
    const [ann] = await pair(t, there);
    await here.publish("room", { id: 1, say: "hi" });
    assert.equal(await ann.message(), '{"id":1,"say":"hi"}');
  });

  it("takes only channels that send what it publishes", () => {
    const store = createChannelStore({ codec });
    const untyped = createChannelStore();
    const check = (typed: Channel<unknown, Told>, text: Channel): void => {
      store.addToGroup("room", typed);
      // @ts-expect-error: it sends text
      store.addToGroup("room", text);
      untyped.addToGroup("room", text);
      // @ts-expect-error: it sends values
      untyped.addToGroup("room", typed);
      // What is left out belongs to any channel.
      void store.publish("room", { id: 1, say: "hi" }, { except: text });
      const [member] = store.members("room");
      member?.[0].send({ id: 1, say: "hi" });
      // @ts-expect-error: it sends values
      member?.[0].send("hi");
    };
    assert.equal(typeof check, "function");
  });
});

describe("a store without a codec", () => {
  it("sends typed channels what it is given as it is", async (t) => {
    const store = createChannelStore<string>();
    const [ann] = await pair(t, store as unknown as ChannelStore<string, Told>);
    await store.publish("room", { id: 1, say: "hi" });
    assert.equal(await ann.message(), '{"id":1,"say":"hi"}');
    store.broadcast("room", "any text");
    assert.equal(await ann.message(), "any text");
    store.broadcast("room", (_, path) => `${path} alone`);
    assert.equal(await ann.message(), "/ann alone");
    store.broadcast("room", () => ({ body: new Blob(["a blob"]) }));
    assert.equal(String(await ann.message()), "a blob");
  });

  it("tells a typed channel when it has missed something", async (t) => {
    const store = createChannelStore();
    const site = await serving(t, (r) =>
      openChannel(
        r,
        { open: (channel) => store.addToGroup("room", channel as unknown as Channel, undefined, { since: "unknown" }) },
        { codec },
      ),
    );
    const client = await WsClient.open(t, site.target);
    assert.equal(await client.message(), '{"group":"room","reset":true}');
  });
});
