// The inspector is one handler: it answers in a route of our own server, of node:http by `attach`, of Hono, and of a Fetch host.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { Hono } from "hono";
import { WebSocket } from "ws";
import { connect } from "../../src/client/index.ts";
import { memorySessions, openSession, type Server, serve, withChannel } from "../../src/index.ts";
import type { Hello, Update } from "../../src/inspector/page/wire.ts";
import { type Inspector, inspector } from "../../src/inspector.ts";
import { attach } from "../../src/node.ts";
import { until } from "../support/wait.ts";
import { VIEW } from "./inspected.ts";

const LOCAL = { host: "127.0.0.1", port: 0 } as const;

/** Asks an inspector at `/admin/inspect` for its page, its modules and its live data over each carrier. */
async function checkInspector(t: TestContext, url: string): Promise<void> {
  const page = await fetch(`${url}/admin/inspect`);
  assert.equal(page.status, 200);
  assert.equal(page.url, `${url}/admin/inspect/`, "it was redirected");
  const html = await page.text();
  const modules = [...html.matchAll(/(?:href|src)="([^"#]+)"/g)].map(([, path]) => path!);
  assert.ok(modules.length > 20);
  for (const path of modules) assert.equal((await fetch(new URL(path, page.url))).status, 200, path);
  assert.equal((await fetch(`${url}/admin/inspect/client/none.js`)).status, 404);
  assert.equal((await fetch(`${url}/admin/inspect/`, { method: "PUT" })).status, 405);

  const visitor = new WebSocket(`${url.replace("http", "ws")}/quotes`);
  await once(visitor, "open");
  t.after(() => visitor.terminate());
  for (const carrier of ["websocket", "sse", "poll"] as const) {
    const connection = connect(`${url}/admin/inspect/live`, { carriers: [carrier], WebSocket: WebSocket as never });
    t.after(() => connection.close());
    const heard: (Hello | Update)[] = [];
    connection.onMessage((message) => heard.push(JSON.parse(String(message))));
    connection.send(JSON.stringify({ ...VIEW, tab: "channels" }));
    await until(() => heard.length > 1, `${carrier} is answered`);
    const { channels } = heard[1] as Update;
    assert.deepEqual(
      channels!.rows.map(({ path }) => path),
      ["/quotes"],
      carrier,
    );
  }
}

describe("an inspector answers", () => {
  it("in a route of serve", async (t) => {
    let inspect: Inspector | undefined;
    const server = await serve(
      (r) => (r.path.startsWith("/admin/inspect") ? inspect!(r) : withChannel(r, () => {})),
      LOCAL,
    );
    t.after(() => server.stop({ graceMs: 0 }));
    inspect = inspector(server);
    await checkInspector(t, server.url);
  });

  it("in a route of Hono, on our server", async (t) => {
    let inspect: Inspector | undefined;
    const app = new Hono();
    app.all("/admin/inspect", (c) => inspect!(c.req.raw));
    app.all("/admin/inspect/*", (c) => inspect!(c.req.raw));
    app.all("/quotes", (c) => withChannel(c.req.raw, () => {}).response);
    const server = await serve(app, LOCAL);
    t.after(() => server.stop({ graceMs: 0 }));
    inspect = inspector(server);
    await checkInspector(t, server.url);
  });

  it("inside a server of node:http, by attach", async (t) => {
    const web = createServer((request, response) => {
      if (request.url!.startsWith("/admin/inspect")) channels.listener(inspect)(request, response);
      else withChannel(channels.request(request, response), () => {});
    });
    const channels = attach(web, { upgrades: ["/quotes", "/admin/inspect/live"] });
    const inspect = inspector(channels, { authorize: () => true });
    web.listen(0, "127.0.0.1");
    await once(web, "listening");
    t.after(async () => {
      await channels.stop({ graceMs: 0 });
      web.close();
      web.closeAllConnections();
    });
    await checkInspector(t, `http://127.0.0.1:${(web.address() as AddressInfo).port}`);
  });
});

describe("an open page of an inspector", () => {
  it("goes on at another process when its own stops", async (t) => {
    const sessions = memorySessions();
    const start = async (port: number): Promise<Server> => {
      let inspect: Inspector | undefined;
      const server = await serve((r) => (r.path.startsWith("/inspect") ? inspect!(r) : openSession(r, {})), {
        host: "127.0.0.1",
        port,
        sessions: sessions.share(),
      });
      inspect = inspector(server);
      return server;
    };
    const first = await start(0);
    const { port, url } = first;
    const heard: (Hello | Update)[] = [];
    const connection = connect(`${url}/inspect/live`, { WebSocket: WebSocket as never, backoff: { firstMs: 1 } });
    t.after(() => connection.close());
    connection.onMessage((message) => heard.push(JSON.parse(String(message))));
    connection.send(JSON.stringify({ ...VIEW, tab: "channels" }));
    await until(() => heard.length > 1, "it is answered");
    await first.stop();
    const second = await start(port);
    t.after(() => second.stop({ graceMs: 0 }));
    await until(() => heard.filter(({ type }) => type === "hello").length === 2, "the other process says hello");
  });
});
