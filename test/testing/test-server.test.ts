// `unichannel/testing` itself: every transport in memory, in virtual time, and what a network may do to it.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { ResumableWebSocket } from "../../src/client/index.ts";
import {
  type Channel,
  type CloseStatus,
  createChannelStore,
  event,
  type Handler,
  openChannel,
  openSession,
  pollGroup,
  type SessionHandlers,
  withChannel,
} from "../../src/index.ts";
import { type TestServer, type TestServerOptions, testServer, VirtualClock } from "../../src/testing/index.ts";

function start(t: TestContext, handler: Handler, options: TestServerOptions = {}): TestServer {
  const app = testServer(handler, options);
  t.after(() => app.stop());
  return app;
}

/** A session that echoes, and what became of its channels. */
function echo(t: TestContext, handlers: SessionHandlers = {}): { app: TestServer; closed: string[] } {
  const closed: string[] = [];
  const app = start(t, (request) =>
    openSession(request, {
      message: (message, channel) => channel.send(message),
      close: (status) => closed.push(status.name),
      ...handlers,
    }),
  );
  return { app, closed };
}

describe("a test server's fetch", () => {
  it("has the whole answer of a handler, with its status and headers", async (t) => {
    const app = start(t, async (request) => ({
      status: 201,
      headers: { "X-Method": request.method, "X-Type": request.headers.get("content-type") ?? "" },
      body: `${request.host}${request.url} ${await request.text()}`,
    }));
    const response = await app.fetch("/a?b=c", { method: "POST", body: "hello", headers: { "Content-Type": "a/b" } });
    assert.equal(response.status, 201);
    assert.deepEqual([response.headers.get("x-method"), response.headers.get("x-type")], ["POST", "a/b"]);
    assert.equal(await response.text(), `${new URL(app.url).host}/a?b=c hello`);
    assert.equal((await app.fetch(new URL("/", app.url), { method: "HEAD" })).status, 201);
  });

  it("streams both ways", async (t) => {
    let finish = (): void => {};
    const app = start(t, async (request) => {
      const channel = withChannel(request, () => {});
      for await (const part of request.body ?? []) channel.send(part, false);
      finish = () => channel.close();
    });
    let upload!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (upload = controller) });
    upload.enqueue(Buffer.from("one"));
    const asked = app.fetch("/", { method: "POST", body });
    await app.settle();
    upload.close();
    const response = await asked;
    const reader = response.body!.getReader();
    assert.equal(Buffer.from((await reader.read()).value!).toString(), "one");
    await app.settle();
    finish();
    assert.deepEqual(await reader.read(), { done: true, value: undefined });
  });

  it("is aborted as the platform's is, and the server sees its client leave", async (t) => {
    let status: CloseStatus | undefined;
    const app = start(t, (request) => openChannel(request, { close: (s) => void (status = s) }));
    const abort = new AbortController();
    const asked = app.fetch("/", { signal: abort.signal });
    await app.settle();
    assert.equal(app.network.open, 1);
    abort.abort();
    await assert.rejects(asked, { name: "AbortError" });
    await app.settle();
    assert.equal(status?.name, "client-close");
    assert.equal(app.network.open, 0);
  });

  it("serves a Fetch handler, too", async (t) => {
    const app = testServer({ fetch: (request) => new Response(`${new URL(request.url).pathname}`) });
    t.after(() => app.stop());
    assert.equal(await (await app.fetch("/path")).text(), "/path");
  });

  it("shows an event stream's bytes as they come, comments too", async (t) => {
    let channel!: Channel;
    const app = start(t, (request) => withChannel(request, (c) => void (channel = c)));
    const asked = app.fetch("/", { headers: { Accept: "text/event-stream" } });
    await app.settle();
    channel.send("one");
    const reader = (await asked).body!.pipeThrough(new TextDecoderStream()).getReader();
    assert.equal((await reader.read()).value, "data: one\n\n");
    await app.advance(60_000);
    assert.match((await reader.read()).value!, /^: ?\n\n/);
    await reader.cancel();
    await app.settle();
    assert.equal(channel.isOpen, false);
  });
});

describe("a test server's event stream", () => {
  it("is read event by event", async (t) => {
    const store = createChannelStore();
    const app = start(t, (request) =>
      openChannel(request, { open: (c) => store.addToGroup("news", c, undefined, { since: request.lastEventId }) }),
    );
    const events = app.events("/");
    await app.settle();
    const { id } = await store.publish("news", event({ event: "headline", data: "one" }));
    await store.publish("news", "two\nlines");
    assert.deepEqual(await events.next(), { type: "headline", data: "one", lastEventId: id });
    assert.equal((await events.next()).data, "two\nlines");
    events.close();
    await app.settle();
    assert.equal(store.size("news"), 0);
    const again = app.events("/", { "Last-Event-ID": id });
    assert.equal((await again.next()).data, "two\nlines");
  });

  it("tells of its end, and of what is none", async (t) => {
    const app = start(t, (request) =>
      request.path === "/no" ? { status: 404 } : openChannel(request, { open: (c) => c.send("last", true) }),
    );
    const events = app.events("/");
    assert.equal((await events.next()).data, "last");
    await assert.rejects(events.next(), { message: "the event stream has ended" });
    const none = app.events("/no");
    await assert.rejects(none.next(), { message: "no event stream: HTTP 404" });
    assert.equal((await none.response).status, 404);
  });
});

describe("a test server's WebSocket", () => {
  it("sends, receives and closes", async (t) => {
    let status: CloseStatus | undefined;
    const app = start(t, (request) =>
      openChannel(
        request,
        { message: (message, c) => c.send(message), close: (s) => void (status = s) },
        { protocols: ["chat"] },
      ),
    );
    const socket = await app.websocket("/", { protocols: ["chat"], headers: { Cookie: "a=b" } });
    assert.equal(socket.protocol, "chat");
    socket.send("text");
    socket.send(Uint8Array.of(1, 2, 3));
    assert.equal(await socket.next(), "text");
    assert.deepEqual(await socket.next(), Uint8Array.of(1, 2, 3));
    const large = "x".repeat(200_000);
    socket.send(large);
    assert.equal(await socket.next(), large);
    const last = socket.next();
    socket.close(4000, "done");
    assert.deepEqual(await socket.closed, { code: 4000, reason: "" });
    await assert.rejects(last, /the WebSocket is closed: 4000/);
    await app.settle();
    assert.deepEqual([status?.by, status?.code], ["client", 4000]);
  });

  it("is told how the server closes, and whether it refuses", async (t) => {
    const app = start(t, (request) =>
      request.path === "/no" ? { status: 403 } : withChannel(request, (c) => c.close(4001, "bye")),
    );
    await assert.rejects(app.websocket("/no"), { code: "BAD_HANDSHAKE", message: /HTTP 403/ });
    const socket = await app.websocket("/");
    assert.deepEqual(await socket.closed, { code: 4001, reason: "bye" });
  });

  it("answers pings as long as it is there, and is lost by the clock when it is not", async (t) => {
    let status: CloseStatus | undefined;
    const app = start(t, (request) => openChannel(request, { close: (s) => void (status = s) }));
    await app.websocket("/");
    await app.advance(300_000);
    assert.equal(status, undefined);
    app.network.stall();
    await app.advance(60_000);
    assert.deepEqual([status!.by, status!.code], ["network", 1006]);
    app.network.resume();
  });

  it("makes a server feel that nobody reads", async (t) => {
    let channel!: Channel;
    const app = start(t, (request) =>
      openChannel(request, { open: (c) => void (channel = c) }, { onOverflow: "drop" }),
    );
    const socket = await app.websocket("/");
    app.network.stall();
    let sent = 0;
    while (sent < 100 && channel.send("x".repeat(64 * 1024))) {
      sent += 1;
      await app.settle();
    }
    assert.ok(sent > 10 && sent < 40, `${sent} of 64 KiB`);
    app.network.resume();
    for (let i = 0; i < sent; i++) await socket.next();
    await channel.drained();
    assert.equal(channel.send("again"), true);
    assert.equal(await socket.next(), "again");
  });
});

describe("a test server's connection", () => {
  it("takes the best carrier, and another where that is blocked", async (t) => {
    const { app } = echo(t);
    const first = app.connect("/");
    await app.settle();
    assert.deepEqual([first.state, first.transport], ["open", "websocket"]);
    app.network.block("websocket");
    const second = testServer((request) => openSession(request, {}));
    t.after(() => second.stop());
    second.network.block("websocket");
    const other = second.connect("/");
    await second.advance(10_000);
    assert.deepEqual([other.state, other.transport], ["open", "sse"]);
    second.network.unblock("websocket");
    await second.advance(600_000);
    assert.equal(other.transport, "websocket", "it goes back to the best carrier");
  });

  it("polls where a proxy buffers", async (t) => {
    const { app } = echo(t);
    app.network.block("websocket");
    app.network.isBuffering = true;
    const connection = app.connect("/");
    const got: unknown[] = [];
    connection.onMessage((message) => got.push(message));
    connection.send("hello");
    await app.advance(60_000);
    assert.equal(connection.transport, "poll");
    assert.deepEqual(got, ["hello"]);
  });

  it("is cut after so many bytes, and comes back (more of this: test/client/cuts.test.ts)", async (t) => {
    const { app } = echo(t);
    app.network.cutNextAfter(600);
    const connection = app.connect("/");
    const got: unknown[] = [];
    connection.onMessage((message) => got.push(message));
    const states: string[] = [];
    connection.onState((state) => states.push(state));
    connection.send("one");
    connection.send("x".repeat(600));
    await app.settle();
    assert.deepEqual([app.network.cuts, app.network.open], [1, 0]);
    await app.advance(10_000);
    assert.deepEqual(got, ["one", "x".repeat(600)]);
    assert.deepEqual(states, ["open", "reconnecting", "open"]);
    app.network.cut();
    assert.deepEqual([app.network.cuts, app.network.open], [2, 0]);
  });

  it("is offline and online with its network", async (t) => {
    const { app, closed } = echo(t);
    const connection = app.connect("/");
    const states: string[] = [];
    connection.onState((state) => states.push(state));
    await app.settle();
    app.network.offline();
    await app.advance(30_000);
    connection.send("meanwhile");
    assert.equal(connection.state, "offline");
    const got: unknown[] = [];
    connection.onMessage((message) => got.push(message));
    app.network.online();
    await app.advance(1000);
    assert.deepEqual(got, ["meanwhile"]);
    assert.deepEqual([states[0], states.at(-1)], ["open", "open"]);
    assert.deepEqual(closed, []);
  });

  it("loses its session when it is away for too long, by the virtual clock", async (t) => {
    const { app, closed } = echo(t);
    const connection = app.connect("/");
    const sessions: string[] = [];
    connection.onOpen(({ session }) => sessions.push(session));
    await app.settle();
    app.network.offline();
    await app.advance(70_000);
    assert.equal(closed.length, 1);
    app.network.online();
    await app.advance(1000);
    assert.deepEqual(sessions, ["new", "lost"]);
  });

  it("comes back to a server that was restarted, and learns that its session is lost", async (t) => {
    const { app, closed } = echo(t);
    const connection = app.connect("/");
    const sessions: string[] = [];
    const got: unknown[] = [];
    connection.onOpen(({ session }) => sessions.push(session));
    connection.onMessage((message) => got.push(message));
    await app.settle();
    const first = app.server;
    await app.restart();
    assert.deepEqual([first.status, app.server.status, closed], ["stopped", "running", ["service-restart"]]);
    connection.send("to the new one");
    await app.advance(5000);
    assert.deepEqual(sessions, ["new", "lost"]);
    assert.deepEqual(got, ["to the new one"]);
    assert.equal(app.server.stats().connections, 1);
  });

  it("takes as long as the network does", async (t) => {
    const { app } = echo(t);
    const connection = app.connect("/", { carriers: ["websocket"] });
    await app.settle();
    app.network.delayMs = 200;
    const got: unknown[] = [];
    connection.onMessage((message) => got.push(message));
    connection.send("hello");
    await app.advance(399);
    assert.deepEqual(got, []);
    await app.advance(1);
    assert.deepEqual(got, ["hello"]);
  });

  it("stands under a ResumableWebSocket, too", async (t) => {
    const { app } = echo(t);
    const socket = new ResumableWebSocket(app.url, [], app.platform);
    socket.onopen = () => socket.send("hello");
    const message = await new Promise((resolve) => {
      socket.onmessage = (event: MessageEvent) => resolve(event.data);
    });
    assert.equal(message, "hello");
    socket.close();
    await app.settle();
  });
});

describe("a test server's time", () => {
  it("is that of a store that shares its clock", async (t) => {
    const clock = new VirtualClock();
    const store = createChannelStore({ clock });
    const app = start(t, (request) => pollGroup(request, store, "room", { since: "", parkMs: 20_000 }), { clock });
    const asked = app.fetch("/");
    await app.advance(19_000);
    assert.equal(store.size("room"), 1);
    await app.advance(2000);
    assert.equal((await asked).status, 204);
  });

  it("moves timers of one's own along", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    const app = start(
      t,
      (request) =>
        withChannel(request, (channel) => {
          const timer = setInterval(() => channel.send("tick"), 250);
          channel.onClose(() => clearInterval(timer));
        }),
      { tick: (ms) => t.mock.timers.tick(ms) },
    );
    const socket = await app.websocket("/");
    await app.advance(1000);
    socket.terminate();
    let ticks = 0;
    while ((await socket.next().catch(() => undefined)) === "tick") ticks += 1;
    assert.equal(ticks, 4);
  });

  it("lets a stop take its grace", async () => {
    const app = testServer((request) => withChannel(request, (channel) => channel.send("begun", false)));
    const response = await app.fetch("/");
    const before = app.clock.now();
    app.network.stall();
    await app.stop({ graceMs: 10_000 });
    assert.ok(app.clock.now() - before >= 10_000);
    assert.equal(app.server.status, "stopped");
    await assert.rejects(response.text());
    await assert.rejects(app.fetch("/"), { name: "TypeError", message: "fetch failed" });
  });
});

describe("bytes over a connection in memory", () => {
  for (const size of [1, 900, 3000, 200_000]) {
    it(`arrive as they were sent, in memory of their own: ${size} on each carrier of a session`, async (t) => {
      const { app } = echo(t);
      for (const carrier of ["websocket", "sse", "poll"] as const) {
        const connection = app.connect("/", { carriers: [carrier] });
        const echoes: unknown[] = [];
        connection.onMessage((message) => echoes.push(message));
        connection.send(new Uint8Array(size).fill(3));
        await app.advance(3000);
        assert.deepEqual(echoes, [new Uint8Array(size).fill(3)], carrier);
        connection.close();
      }
    });
  }

  it("are not changed by what their sender does when they have been written", async (t) => {
    const bytes = new Uint8Array(5000).fill(3);
    const app = start(t, (request) =>
      withChannel(request, async (channel) => {
        channel.send(bytes);
        await channel.drained();
        bytes.fill(9);
      }),
    );
    app.network.delayMs = 100;
    const socket = app.websocket("/");
    await app.advance(1000);
    assert.deepEqual(new Uint8Array((await (await socket).next()) as Uint8Array), new Uint8Array(5000).fill(3));
  });
});

describe("a test server's errors", () => {
  it("fail the test that does not take them", async () => {
    const boom = new Error("boom");
    const app = testServer(() => {
      throw boom;
    });
    assert.equal((await app.fetch("/")).status, 500);
    await assert.rejects(app.stop(), boom);
  });

  it("can be taken", async (t) => {
    const app = start(t, () => {
      throw new Error("boom");
    });
    await app.fetch("/");
    assert.deepEqual(
      app.takeErrors().map((error) => (error as Error).message),
      ["boom"],
    );
  });
});
