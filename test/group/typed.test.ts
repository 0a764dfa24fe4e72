// Groups of typed channels: a store with a codec publishes values, a store without one sends data as it is.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { z } from "zod";
import {
  type AnyChannelStore,
  type Channel,
  ChannelError,
  type ChannelStore,
  createChannelStore,
  event,
  type GroupMember,
  type Handler,
  jsonMessages,
  MemoryBackplane,
  MemoryChannelStore,
  openChannel,
  pollGroup,
  prepare,
} from "../../src/index.ts";
import { type TestServer, type TestWebSocket, testServer } from "../../src/testing/index.ts";
import { holds, type Same } from "../support/types.ts";

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

function start(t: TestContext, handler: Handler): TestServer {
  const app = testServer(handler);
  t.after(() => app.stop());
  return app;
}

interface Point {
  readonly x: number;
}

describe("the types of a store without a codec", () => {
  it("let every value that JSON can express be published, and no promise and no undefined", async () => {
    const store = createChannelStore();
    const point: Point = { x: 1 };
    for (const value of ["text", 1, true, null, [1], { a: { b: undefined } }, new Date(0), Uint8Array.of(1)]) {
      await store.publish("g", value);
    }
    await store.publish("g", point);
    await store.publish("g", { any: "literal" });
    const late: Promise<string> = Promise.resolve("text");
    // @ts-expect-error: await it first
    await assert.rejects(store.publish("g", late), { code: "BAD_DATA" });
    // @ts-expect-error: JSON has no form for it
    await assert.rejects(store.publish("g", undefined), { code: "BAD_DATA" });
    // @ts-expect-error: the same for broadcast, which is asked at once
    assert.equal(store.broadcast("g", late), 0);
    const tell = <Value>(typed: ChannelStore<unknown, Value>, value: Value) => typed.publish("g", value);
    assert.ok(await tell(store, "text"));
  });

  it("let broadcast take no options, and its store refuses them", () => {
    const store = createChannelStore();
    // @ts-expect-error: `except` is an option of publish
    assert.throws(() => store.broadcast("g", "text", { except: undefined }), {
      code: "BAD_OPTION",
      message: /broadcast takes no options; publish has `except`/,
    });
  });
});

/** Two WebSockets with a codec that are members of "room". */
async function pair(t: TestContext, store: ChannelStore<string, Told>): Promise<[TestWebSocket, TestWebSocket]> {
  const app = start(t, (r) =>
    openChannel(r, { open: (channel) => store.addToGroup("room", channel, r.path) }, { codec }),
  );
  const clients: [TestWebSocket, TestWebSocket] = [await app.websocket("/ann"), await app.websocket("/bob")];
  assert.equal(store.size("room"), 2);
  return clients;
}

describe("a store with a codec", () => {
  it("publishes values, which are checked and encoded once for all", async (t) => {
    const store = createChannelStore<string, Told>({ codec });
    const clients = await pair(t, store);
    const before = checks;
    await store.publish("room", { id: 1, say: "hi" });
    assert.equal(checks - before, 1);
    for (const client of clients) assert.equal(await client.next(), '{"id":1,"say":"hi"}');
    const { messages } = await store.history("room");
    assert.deepEqual(messages[0]!.data, { id: 1, say: "hi" });
  });

  it("is refused by the compiler for another type of messages than its codec's", () => {
    // @ts-expect-error: the codec encodes Told, not anything
    const trap = () => createChannelStore<{ user: string }>({ codec }).publish("g", { nonsense: 1 });
    // @ts-expect-error: the same for the class
    const inClass = () => new MemoryChannelStore<{ user: string }>({ codec });
    const literal = { encode: (told: Told) => told.say, decode: String };
    // @ts-expect-error: the same for a codec that is written by hand
    const byHand = () => createChannelStore<{ user: string }>({ codec: literal });
    const joining = (channel: GroupMember<Told>) => {
      const store = createChannelStore<string, Told>({ codec });
      store.addToGroup("g", channel, "bob", {
        snapshot: ({ lastId }) => ({ message: { id: 1, say: "all" }, since: lastId }),
      });
      // @ts-expect-error: the state is a value of the codec, too
      store.addToGroup("g", channel, "bob", { snapshot: () => ({ message: { id: 1 }, since: "" }) });
      // @ts-expect-error: the place of the state is missing
      store.addToGroup("g", channel, "bob", { snapshot: () => ({ message: { id: 1, say: "all" } }) });
    };
    // @ts-expect-error: a key is text
    const keyed = () => createChannelStore({ codec, history: { latest: (told) => told.length } });
    // @ts-expect-error: a field is missing
    const inferred = () => createChannelStore({ codec }).publish("g", { id: 1 });
    holds<Same<ReturnType<typeof both>, ChannelStore<string, Told>>>();
    assert.ok([joining, keyed, trap, inClass, byHand, inferred]);
    function both() {
      return createChannelStore<string, Told>({ codec });
    }
  });

  it("is an AnyChannelStore, as every store is, and so is one that was named by ReturnType", async () => {
    const plain: ReturnType<typeof createChannelStore> = createChannelStore();
    const stores: readonly AnyChannelStore[] = [createChannelStore<string, Told>({ codec }), plain];
    // @ts-expect-error: nobody knows which values it takes
    const publish: unknown = stores[0]!.publish;
    assert.equal(typeof publish, "function");
    for (const store of stores) assert.deepEqual([store.size("g"), store.members("g"), store.groups()], [0, [], []]);
  });

  it("rejects values that its codec refuses, and keeps nothing of them", async () => {
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
    for (const client of [ann, bob]) assert.equal(await client.next(), '{"id":1,"say":"all"}');
    const reached = store.broadcast("room", (channel, path) => {
      channel.send({ id: 2, say: "first" });
      return path === "/ann" ? { id: 3, say: "ann" } : undefined;
    });
    assert.equal(reached, 1);
    assert.equal(await ann.next(), '{"id":2,"say":"first"}');
    assert.equal(await ann.next(), '{"id":3,"say":"ann"}');
    assert.equal(await bob.next(), '{"id":2,"say":"first"}');
    assert.throws(() => store.broadcast("room", { id: "four" } as never), isRefused);
    assert.equal(
      store.broadcast("room", () => ({ id: "five" }) as never),
      0,
    );
    assert.deepEqual(errors.map(isRefused), [true, true]);
  });

  it("sends a prepared message as it is, an event with a type for instance", async (t) => {
    const store = createChannelStore<string, Told>({ codec });
    const app = start(t, (r) => openChannel(r, { open: (c) => store.addToGroup("room", c) }, { codec }));
    const events = app.events("/");
    await app.settle();
    const message = prepare(event({ event: "told", data: codec.encode({ id: 1, say: "hi" }) as string }));
    const { id } = await store.publish("room", message);
    assert.deepEqual(await events.next(), { type: "told", data: '{"id":1,"say":"hi"}', lastEventId: id });
    store.broadcast("room", prepare("raw"));
    assert.equal((await events.next()).data, "raw");
  });

  it("answers polls with values", async (t) => {
    const store = createChannelStore({ codec });
    const app = start(t, (r) => pollGroup(r, store, "room"));
    const { id } = await store.publish("room", { id: 1, say: "hi" });
    const response = await app.fetch("/?since=");
    assert.deepEqual(await response.json(), {
      messages: [{ id, data: { id: 1, say: "hi" } }],
      next: id,
      reset: false,
    });
  });

  it("shares encoded messages with other processes", async (t) => {
    const backplane = new MemoryBackplane();
    const [here, there] = [
      createChannelStore<string, Told>({ codec, backplane }),
      createChannelStore<string, Told>({ codec, backplane: backplane.share() }),
    ];
    t.after(() => Promise.all([here.close(), there.close()]));
    const [ann] = await pair(t, there);
    await here.publish("room", { id: 1, say: "hi" });
    assert.equal(await ann.next(), '{"id":1,"say":"hi"}');
  });

  it("accepts only channels that send the values that it publishes", () => {
    const store = createChannelStore({ codec });
    const untyped = createChannelStore();
    const check = (typed: Channel<unknown, Told>, text: Channel): void => {
      store.addToGroup("room", typed);
      // @ts-expect-error: it sends text
      store.addToGroup("room", text);
      untyped.addToGroup("room", text);
      // @ts-expect-error: it sends values
      untyped.addToGroup("room", typed);
      // A channel without type arguments may join any group.
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
  it("sends data to typed channels as it is", async (t) => {
    const store = createChannelStore<string>();
    const [ann] = await pair(t, store as unknown as ChannelStore<string, Told>);
    await store.publish("room", { id: 1, say: "hi" });
    assert.equal(await ann.next(), '{"id":1,"say":"hi"}');
    store.broadcast("room", "any text");
    assert.equal(await ann.next(), "any text");
    store.broadcast("room", (_, path) => `${path} alone`);
    assert.equal(await ann.next(), "/ann alone");
    store.broadcast("room", () => ({ body: new Blob(["a blob"]) }));
    assert.equal(Buffer.from((await ann.next()) as Uint8Array).toString(), "a blob");
  });

  it("tells a typed channel that messages are lost", async (t) => {
    const store = createChannelStore();
    const app = start(t, (r) =>
      openChannel(
        r,
        { open: (channel) => store.addToGroup("room", channel as unknown as Channel, undefined, { since: "unknown" }) },
        { codec },
      ),
    );
    assert.equal(await (await app.websocket("/")).next(), '{"group":"room","reset":true}');
  });
});
