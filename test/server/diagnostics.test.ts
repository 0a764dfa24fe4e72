// The events that a server publishes through node:diagnostics_channel: docs/reference/diagnostics.md.

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { channel as topic } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import {
  type Channel,
  type ChannelError,
  type DiagnosticsMessages,
  event,
  openSession,
  withChannel,
} from "../../src/index.ts";
import { testServer } from "../../src/testing/index.ts";
import { EVENT_NAMES, listenTo } from "../support/diagnostics.ts";
import { request, serving } from "../support/serving.ts";
import { deferred, until } from "../support/wait.ts";
import { upgradeRequest, WsClient } from "../support/ws-client.ts";

describe("the events of a server", () => {
  it("tell its whole life, in order", async (t) => {
    const heard = listenTo(t);
    const order: string[] = [];
    const site = await serving(t, (r) => {
      if (!r.isWebSocket) return "hello";
      return withChannel(r, (channel) => {
        order.push(`setup after ${heard.names.at(-1)}`);
        channel.onMessage((message) => channel.send(message));
        channel.onClose(() => order.push(`close handler after ${heard.names.at(-1)}`));
      });
    });
    assert.equal((await site.request("GET /")).text, "hello");
    await until(() => heard.names.includes("connection.close"), "the connection is closed");
    const client = await WsClient.open(t, site.target);
    client.send("hi");
    assert.equal(await client.message(), "hi");
    client.close(4000, "enough");
    await client.closed();
    await client.ended();
    client.raw.destroy();
    await until(() => heard.names.length === 11, "both are closed");
    await site.server.stop();
    assert.deepEqual(heard.names, [
      "server.start",
      "connection.open",
      "request.start",
      "request.end",
      "connection.close",
      "connection.open",
      "request.start",
      "request.end",
      "channel.open",
      "channel.close",
      "connection.close",
      "server.stop",
    ]);
    assert.deepEqual(order, ["setup after channel.open", "close handler after channel.open"]);
    for (const { server } of heard.events) assert.equal(server, site.server);
  });

  it("tell the carriers of a session: the first, the loss, the one that resumes it, and a change of transport", async (t) => {
    const heard = listenTo(t, ["unichannel:session.attach", "unichannel:session.detach"]);
    const channels: Channel[] = [];
    const app = testServer((r) => openSession(r, { open: (channel) => void channels.push(channel) }));
    t.after(() => app.stop());
    const connection = app.connect("/");
    await connection.opened;
    app.network.cut();
    await app.settle();
    channels[0]!.send("while you were away");
    await app.advance(1000);
    const polls = app.connect("/", { carriers: ["poll"] });
    await polls.opened;
    await app.advance(60_000);
    const [first, lost, resumed, polled, ...more] = heard.events.map(({ name, server, ...facts }) => {
      assert.equal(server, app.server);
      return { name, ...facts };
    });
    const [channel, poller] = channels;
    const attach = "unichannel:session.attach";
    assert.deepEqual(first, { name: attach, channel, transport: "websocket", isResumed: false, replayed: 0 });
    assert.equal(lost!.name, "unichannel:session.detach");
    assert.equal(heard.of("unichannel:session.detach")[0]!.status.by, "network");
    assert.deepEqual(resumed, { name: attach, channel, transport: "websocket", isResumed: true, replayed: 1 });
    assert.deepEqual(polled, { name: attach, channel: poller, transport: "poll", isResumed: false, replayed: 0 });
    assert.deepEqual(more, [], "polls that follow are the same carrier");
  });

  it("show a connection by the same object at both ends", async (t) => {
    const heard = listenTo(t, ["unichannel:connection.open", "unichannel:connection.close"]);
    const site = await serving(t, () => "hello");
    await site.request("GET /");
    await until(() => heard.events.length === 2, "it is closed");
    const [opened] = heard.of("unichannel:connection.open");
    const [closed] = heard.of("unichannel:connection.close");
    assert.equal(opened!.connection, closed!.connection);
    assert.match(opened!.connection.id, /^[0-9a-z]{8}-[0-9a-z]+$/);
    assert.deepEqual([opened!.connection.remoteAddress, opened!.connection.isEncrypted], ["127.0.0.1", false]);
    assert.ok(closed!.durationMs >= 0);
  });

  it("tell of a connection behind a PROXY header once HTTP begins, and never of one that sends nothing", async (t) => {
    const heard = listenTo(t, ["unichannel:connection.open", "unichannel:connection.close"]);
    const site = await serving(t, (r) => r.remoteAddress!, { proxyProtocol: "required", trustedProxies: ["loopback"] });
    const silent = await site.connect();
    await until(() => site.server.stats().connections === 1, "it is there");
    silent.destroy();
    await until(() => site.server.stats().connections === 0, "it is gone");
    assert.deepEqual([heard.names, site.server.stats().connectionsOpened], [[], 0]);
    const client = await site.connect();
    client.write(`PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${request("GET /")}`);
    assert.equal((await client.response()).text, "192.0.2.1");
    client.destroy();
    await until(() => heard.events.length === 2, "both ends are told");
    assert.equal(heard.of("unichannel:connection.open")[0]!.connection.remoteAddress, "127.0.0.1");
    assert.equal(site.server.stats().connectionsOpened, 1);
  });

  it("tell of connections that were refused", async (t) => {
    const heard = listenTo(t, ["unichannel:connection.refuse"]);
    const site = await serving(t, () => "hello", { maxConnections: 1 });
    const first = await site.connect();
    first.write(request("GET /"));
    await first.response();
    const second = await site.connect();
    assert.equal((await second.head()).status, 503);
    assert.deepEqual(heard.of("unichannel:connection.refuse"), [
      { server: site.server, remoteAddress: "127.0.0.1", name: "unichannel:connection.refuse" },
    ]);
    assert.equal(site.server.stats().connectionsRefused, 1);
  });

  it("tell of a connection over maxConnectionsPerAddress, and of no opening or closing", async (t) => {
    const names = [
      "unichannel:connection.open",
      "unichannel:connection.close",
      "unichannel:connection.refuse",
    ] as const;
    for (const options of [{}, { proxyProtocol: "optional", trustedProxies: ["192.0.2.1"] }] as const) {
      const heard = listenTo(t, names);
      const site = await serving(t, () => "hello", { ...options, maxConnectionsPerAddress: 1 });
      const first = await site.connect();
      first.write(request("GET /"));
      await first.response();
      const second = await site.connect();
      assert.equal((await second.head()).status, 503);
      await second.ended();
      assert.deepEqual(heard.names, ["connection.open", "connection.refuse"]);
      const { connectionsOpened, connectionsRefused, connections } = site.server.stats();
      assert.deepEqual([connectionsOpened, connectionsRefused, connections], [1, 1, 1]);
      await site.server.stop({ graceMs: 0 });
      assert.deepEqual(heard.names.slice(2), ["connection.close"]);
      heard.stop();
    }
  });

  it("tell of requests that no handler may see", async (t) => {
    const heard = listenTo(t, ["unichannel:request.start", "unichannel:request.end", "unichannel:request.refuse"]);
    const site = await serving(t, () => "hello", { maxHeaderCount: 2, maxBodyBytes: 3 });
    await site.request("GET / HTTP/1.1\r\nHost: a\r\nHost: b");
    await site.request("GET / HTTP/1.1\r\nA: a\r\nB: b");
    await site.request("POST / HTTP/1.1\r\nContent-Length: 4");
    assert.deepEqual(
      heard.events.map((event) => [event.name, (event as { error?: ChannelError }).error?.code]),
      [
        ["unichannel:request.refuse", "BAD_REQUEST"],
        ["unichannel:request.refuse", "HEADERS_TOO_LARGE"],
        ["unichannel:request.refuse", "BODY_TOO_LARGE"],
      ],
    );
    assert.equal(site.server.stats().responses["4xx"], 3);
    assert.equal(site.server.stats().requests, 0);
  });

  it("report overflows, whichever handler receives the error", async (t) => {
    const heard = listenTo(t, ["unichannel:channel.overflow", "unichannel:error"]);
    const channels: Channel[] = [];
    const site = await serving(t, (r) => {
      const onOverflow = r.path === "/drop" ? "drop" : "close";
      return withChannel(r, (channel) => void channels.push(channel), { onOverflow, maxBufferedBytes: 1 });
    });
    const dropping = await WsClient.open(t, site.target, { path: "/drop" });
    const closing = await WsClient.open(t, site.target, { path: "/close" });
    for (const channel of channels) {
      channel.send("this fills it");
      assert.equal(channel.send("and this finds it full"), false);
    }
    assert.deepEqual(
      heard.of("unichannel:channel.overflow").map(({ channel, policy }) => [channel, policy]),
      [
        [channels[0], "drop"],
        [channels[1], "close"],
      ],
    );
    const [failed] = heard.of("unichannel:error");
    assert.deepEqual([failed!.source, failed!.channel], ["send", channels[1]]);
    assert.deepEqual(site.server.stats().overflows, { close: 1, drop: 1 });
    assert.deepEqual(site.takeMessages(), ["send: unsent data exceeds maxBufferedBytes"]);
    dropping.raw.destroy();
    closing.raw.destroy();
  });

  it("tell of errors with their request or channel", async (t) => {
    const heard = listenTo(t, ["unichannel:error"]);
    const boom = new Error("boom");
    const site = await serving(t, () => {
      throw boom;
    });
    await site.request("GET /a");
    const [failed] = heard.of("unichannel:error");
    assert.equal(failed!.error, boom);
    assert.deepEqual([failed!.source, failed!.request?.path], ["handler", "/a"]);
    assert.equal(site.takeReports().length, 1);
  });

  it("tell of a beginning, or of an end, to a subscriber of that topic alone", async (t) => {
    const site = await serving(t, (r) => withChannel(r, (channel) => void channel.send("x", false)));
    const before = await site.connect();
    before.write(request("GET /"));
    await before.head();
    // An end whose beginning nobody heard has no request, no duration: it is not told.
    const heard = listenTo(t, ["unichannel:request.end", "unichannel:channel.close", "unichannel:connection.close"]);
    const after = await site.connect();
    after.write(request("GET /after"));
    await after.head();
    before.destroy();
    await until(() => site.server.stats().channels.stream === 1, "the first is gone");
    assert.deepEqual(heard.names, []);
    after.destroy();
    await until(() => heard.names.length === 3, "the second is gone");
    assert.equal(heard.of("unichannel:request.end")[0]!.request.path, "/after");
  });
});

describe("the end of a request", () => {
  type End = DiagnosticsMessages["unichannel:request.end"];
  const summary = ({ request, status, isWhole }: End): unknown[] => [request.path, status, isWhole];

  it("has its status", async (t) => {
    const heard = listenTo(t, ["unichannel:request.start", "unichannel:request.end"]);
    const site = await serving(t, async (r) => {
      if (r.path === "/created") return { status: 201 };
      if (r.path === "/broken") throw new Error("boom");
      if (r.path === "/later") await new Promise(setImmediate);
      if (r.path === "/later") return "later";
      if (r.path === "/stream") return withChannel(r, (channel) => channel.send("a", false) && channel.close());
      return undefined;
    });
    for (const path of ["/created", "/nothing", "/broken", "/later", "/stream"]) await site.request(`GET ${path}`);
    const head = await site.request("HEAD /later");
    assert.equal(head.status, 200);
    site.takeReports();
    assert.deepEqual(heard.of("unichannel:request.end").map(summary), [
      ["/created", 201, true],
      ["/nothing", 404, true],
      ["/broken", 500, true],
      ["/later", 200, true],
      ["/stream", 200, true],
      ["/later", 200, true],
    ]);
    assert.deepEqual(
      heard.of("unichannel:request.start").map((start) => start.request),
      heard.of("unichannel:request.end").map((end) => end.request),
    );
    for (const { durationMs } of heard.of("unichannel:request.end")) assert.ok(durationMs >= 0);
    assert.deepEqual(site.server.stats().responses, { "1xx": 0, "2xx": 4, "3xx": 0, "4xx": 1, "5xx": 1 });
  });

  it("has no status when the client left before a response, and isWhole is false when one was broken off", async (t) => {
    const heard = listenTo(t, ["unichannel:request.end"]);
    const never = deferred();
    const site = await serving(t, (r) => {
      if (r.path === "/never") return never.promise;
      return withChannel(r, (channel) => void channel.send("a", false));
    });
    for (const path of ["/never", "/begun"]) {
      const client = await site.connect();
      client.write(request(`GET ${path}`));
      if (path === "/begun") await client.head();
      else await until(() => site.server.stats().requests === 1, "the handler has it");
      client.reset();
      await until(() => site.server.stats().connections === 0, "the connection is gone");
    }
    never.resolve();
    assert.deepEqual(heard.of("unichannel:request.end").map(summary), [
      ["/never", undefined, false],
      ["/begun", 200, false],
    ]);
  });

  it("is 101 for a WebSocket, and comes before its channel opens", async (t) => {
    const heard = listenTo(t);
    const site = await serving(t, (r) => withChannel(r, () => {}));
    const client = await WsClient.open(t, site.target, { path: "/ws" });
    assert.deepEqual(heard.of("unichannel:request.end").map(summary), [["/ws", 101, true]]);
    assert.deepEqual(heard.names.slice(-2), ["request.end", "channel.open"]);
    const [opened] = heard.of("unichannel:channel.open");
    assert.equal(opened!.request, heard.of("unichannel:request.start")[0]!.request);
    client.raw.destroy();
  });

  it("has the status that an upgrade check answers with", async (t) => {
    const heard = listenTo(t, ["unichannel:request.start", "unichannel:request.end", "unichannel:channel.open"]);
    const site = await serving(t, () => assert.fail("the handler is not asked"), {
      upgrade: async () => ({ status: 401 }),
    });
    const client = await site.connect();
    client.write(upgradeRequest("/ws"));
    assert.equal((await client.head()).status, 401);
    assert.deepEqual(heard.names, ["request.start", "request.end"]);
    assert.deepEqual(heard.of("unichannel:request.end").map(summary), [["/ws", 401, true]]);
  });

  it("has the status that a body was refused with while the handler read it", async (t) => {
    const heard = listenTo(t, ["unichannel:request.end", "unichannel:request.refuse"]);
    const site = await serving(t, async (r) => `${(await r.bytes()).length}`, { maxBodyBytes: 3 });
    const client = await site.connect();
    client.write("POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\naaaa\r\n");
    assert.equal((await client.response()).status, 413);
    await until(() => heard.events.length > 0, "it is told");
    assert.deepEqual(heard.names, ["request.end"]);
    assert.deepEqual(heard.of("unichannel:request.end").map(summary), [["/body", 413, true]]);
  });
});

describe("the end of a channel", () => {
  it("has its status, its transport and how long it was open", async (t) => {
    const heard = listenTo(t, ["unichannel:channel.close"]);
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        if (channel.isWebSocket) channel.close(4001, "bye");
        else channel.send(event({ data: "x" }), true);
      }),
    );
    const client = await WsClient.open(t, site.target);
    await client.closed();
    client.close(4001);
    await client.ended();
    await site.request("GET / HTTP/1.1\r\nAccept: text/event-stream");
    await site.request("GET /");
    await until(() => heard.events.length === 3, "all are told");
    assert.deepEqual(
      heard.of("unichannel:channel.close").map(({ channel, status }) => [channel.transport, status]),
      [
        ["websocket", { by: "server", code: 4001, reason: "bye", name: "application" }],
        ["sse", { by: "server", code: 1000, reason: "", name: "server-close" }],
        ["stream", { by: "server", code: 1000, reason: "", name: "server-close" }],
      ],
    );
    for (const { durationMs } of heard.of("unichannel:channel.close")) assert.ok(durationMs >= 0);
  });
});

describe("a store that is bound to the beginning of requests", () => {
  it("holds its own value for each request, in the handler and in all that it awaits", async (t) => {
    const store = new AsyncLocalStorage<string>();
    const start = topic("unichannel:request.start") as unknown as {
      bindStore(store: AsyncLocalStorage<string>, toValue: (message: unknown) => string): void;
      unbindStore(store: AsyncLocalStorage<string>): void;
    };
    start.bindStore(store, (message) => (message as DiagnosticsMessages["unichannel:request.start"]).request.path);
    t.after(() => start.unbindStore(store));
    const together = deferred();
    let waiting = 0;
    const site = await serving(t, async () => {
      waiting += 1;
      await together.promise;
      return store.getStore() ?? "nothing";
    });
    const answers = [site.request("GET /a"), site.request("GET /b")];
    await until(() => waiting === 2, "both run");
    together.resolve();
    assert.deepEqual(
      (await Promise.all(answers)).map(({ text }) => text),
      ["/a", "/b"],
    );
    assert.equal(store.getStore(), undefined);
  });
});

describe("docs/reference/diagnostics.md", () => {
  it("has a row for every event, and for no other", () => {
    const text = readFileSync("docs/reference/diagnostics.md", "utf8");
    const rows = [...text.matchAll(/^\| `(unichannel:[^`]+)` \|/gm)].map(([, name]) => name!);
    assert.deepEqual([...rows].sort(), [...EVENT_NAMES].sort());
  });

  it("names every field of every message", () => {
    const text = readFileSync("docs/reference/diagnostics.md", "utf8");
    const types = readFileSync("src/server/diagnostics.ts", "utf8");
    for (const [, name, fields] of types.matchAll(/"(unichannel:[\w.]+)":[^{]*\{([^}]*)\}/g)) {
      const row = text.split("\n").find((line) => line.startsWith(`| \`${name}\` |`))!;
      for (const [, field] of fields!.matchAll(/readonly (\w+)[?:]/g)) {
        if (field !== "server") assert.match(row, new RegExp(`\`${field}\``), `${name} has ${field}`);
      }
    }
  });
});
