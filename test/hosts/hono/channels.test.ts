// The helper of Hono under our own server. Under @hono/node-server it is tested with the real package: test/frameworks/hono.test.ts.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { describe, it } from "node:test";
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { WebSocket } from "ws";
import { connect } from "../../../src/client/index.ts";
import { openChannel, openSession, pollGroup, withChannel } from "../../../src/hono.ts";
import { createChannelStore, type MessageCodec, withChannel as plainWithChannel } from "../../../src/index.ts";
import { serving } from "../../support/serving.ts";
import { until } from "../../support/wait.ts";
import { WsClient } from "../../support/ws-client.ts";

function application(): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    c.header("X-Request-Id", "7");
    c.header("Set-Cookie", "a=1");
    await next();
  });
  return app;
}

const fetching = (app: Hono) => (request: { toRequest(): Request }) => app.fetch(request.toRequest());

describe("the helper of Hono", () => {
  it("opens a WebSocket or an event stream, with the headers of middleware and of the options", async (t) => {
    const app = application();
    app.get("/live", (c) =>
      withChannel(
        c,
        (channel) => {
          channel.onMessage((message) => channel.send(message));
          if (!channel.isWebSocket) channel.send("hello", true);
        },
        { headers: { "x-request-id": "8", "Set-Cookie": "b=2" } },
      ),
    );
    const site = await serving(t, fetching(app));
    const { port } = site.target as { port: number };
    const response = await fetch(`http://127.0.0.1:${port}/live`, { headers: { Accept: "text/event-stream" } });
    assert.equal(response.headers.get("x-request-id"), "8");
    assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
    assert.equal(response.headers.get("x-hono-already-sent"), null);
    assert.match(await response.text(), /data: hello/);
    const socket = await WsClient.open(t, site.target, { path: "/live" });
    socket.send("hi");
    assert.equal(await socket.message(), "hi");
  });

  it("opens a channel with its callbacks up front, and with a codec", async (t) => {
    const app = application();
    const codec: MessageCodec<{ a: number }, { b: number }> = {
      encode: (value) => JSON.stringify(value),
      decode: (message) => JSON.parse(String(message)) as { a: number },
    };
    app.get("/live", (c) =>
      openChannel(c, { message: ({ a }, channel) => void channel.send({ b: a + 1 }) }, { codec }),
    );
    const site = await serving(t, fetching(app));
    const socket = await WsClient.open(t, site.target, { path: "/live" });
    socket.send('{"a":1}');
    assert.equal(await socket.message(), '{"b":2}');
  });

  it("opens sessions, and answers long polls", async (t) => {
    const app = application();
    const store = createChannelStore();
    app.all("/session", (c) => openSession(c, { message: (message, channel) => channel.send(message) }));
    app.get("/poll", (c) => pollGroup(c, store, "news"));
    const site = await serving(t, fetching(app));
    const { port } = site.target as { port: number };
    for (const carrier of ["websocket", "sse", "poll"] as const) {
      const connection = connect(`http://127.0.0.1:${port}/session`, { WebSocket, carriers: [carrier] });
      t.after(() => void connection.close());
      const received: unknown[] = [];
      connection.onMessage((message) => received.push(message));
      connection.send("hi");
      await until(() => received.length === 1, `the echo over ${carrier}`);
    }
    const poll = await fetch(`http://127.0.0.1:${port}/poll`);
    assert.equal(poll.headers.get("x-request-id"), "7");
    assert.deepEqual(Object.keys((await poll.json()) as object).sort(), ["messages", "next", "reset"]);
  });

  it("lets the cors middleware say which pages may read, once", async (t) => {
    const app = new Hono();
    app.use(cors({ origin: "https://page.example" }));
    app.get("/live", (c) => withChannel(c, (channel) => channel.send("hello", true)));
    const site = await serving(t, fetching(app), { allowedOrigins: ["https://page.example"] });
    const { port } = site.target as { port: number };
    const response = await fetch(`http://127.0.0.1:${port}/live`, { headers: { Origin: "https://page.example" } });
    assert.equal(response.headers.get("access-control-allow-origin"), "https://page.example");
    await response.body?.cancel();
  });

  it("says that attach is missing where nothing is attached to the server of @hono/node-server", () => {
    const server = createServer();
    const c = { env: { incoming: { socket: {} }, outgoing: {} }, req: {}, res: new Response() } as unknown as Context;
    assert.throws(() => withChannel(c, () => {}), { code: "NOT_OUR_REQUEST", message: /attach\(server/ });
    server.close();
  });

  it("opens no channel for an upgrade that @hono/node-server brings without a response", () => {
    const c = { env: { incoming: { socket: {} }, outgoing: undefined } } as unknown as Context;
    assert.equal(withChannel(c, () => assert.fail("a channel")).status, 426);
  });

  it("refuses a request that has its channel", async (t) => {
    const app = application();
    const codes: unknown[] = [];
    app.get("/live", (c) => {
      const { response } = plainWithChannel(c.req.raw, (channel) => channel.send("one"));
      try {
        return withChannel(c, () => {});
      } catch (error) {
        codes.push((error as { code: unknown }).code);
        return response;
      }
    });
    const site = await serving(t, fetching(app));
    const { port } = site.target as { port: number };
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/live`)).text(), "one");
    assert.deepEqual(codes, ["ALREADY_ANSWERED"]);
  });
});
