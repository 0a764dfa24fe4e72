// The usual middleware before a route of channels, in its real packages: compression, security fields, CORS, cookies of sessions, and
// body parsers that have read a body before us.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { Context } from "hono";
import { WebSocket } from "ws";
import { openSession as openHonoSession } from "../../src/hono.ts";
import { type Channel, type ChannelError, type Message, openSession, withChannel } from "../../src/index.ts";
import { type Attached, attach } from "../../src/node.ts";
import { until, within } from "../support/wait.ts";
import { needsFrameworks } from "./app.ts";

const require = createRequire(resolve("examples/frameworks/package.json"));
// The packages are not installed where types are checked.
// biome-ignore lint/suspicious/noExplicitAny: see above
const load = (name: string): any => {
  const found = require(name);
  return found.default ?? found;
};

const ORIGIN = "https://example.com";
const QUIET = { info() {}, warn() {}, error() {} };
const echo = { message: (message: Message, channel: Channel) => channel.send(message) };

interface Site {
  readonly url: string;
  readonly channels: readonly Channel[];
  readonly reports: readonly ChannelError[];
}

/** Routes: `/live` is a channel, `/consumed` a session behind a parser that leaves nothing. */
interface Framework {
  readonly name: string;
  /** The compression middleware compresses what channels send. */
  readonly compresses: boolean;
  readonly start: (attachTo: (server: Server) => Attached, onChannel: (channel: Channel) => void) => Promise<Server>;
}

const FRAMEWORKS: readonly Framework[] = [
  {
    name: "Express",
    compresses: true,
    start: async (attachTo, onChannel) => {
      const app = load("express")();
      const server = createServer(app);
      const attached = attachTo(server);
      app.use(load("helmet")(), load("cors")({ origin: ORIGIN, credentials: true }));
      app.use(load("express-session")({ secret: "x", resave: false, saveUninitialized: true }));
      app.use(load("compression")({ threshold: 0, filter: () => true }));
      app.all("/live", (req: IncomingMessage, res: ServerResponse) => {
        withChannel(attached.request(req, res), onChannel);
      });
      app.use(
        "/consumed",
        load("express").text({ type: () => true }),
        (req: { body: unknown }, _: unknown, next: () => void) => {
          req.body = {};
          next();
        },
      );
      app.all("/consumed", (req: IncomingMessage, res: ServerResponse) => {
        openSession(attached.request(req, res), echo);
      });
      return server;
    },
  },
  {
    name: "Fastify",
    // Its plugin works in a hook of `onSend`, which does not run after `reply.hijack()`.
    compresses: false,
    start: async (attachTo, onChannel) => {
      const app = load("fastify")();
      const attached = attachTo(app.server);
      await app.register(load("@fastify/helmet"));
      await app.register(load("@fastify/cors"), { origin: ORIGIN, credentials: true });
      await app.register(load("@fastify/cookie"));
      await app.register(load("@fastify/compress"), { threshold: 0 });
      // biome-ignore lint/suspicious/noExplicitAny: see `load`
      const toRequest = (request: any, reply: any, options?: { body: unknown }) => {
        reply.hijack();
        for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value);
        return attached.request(request.raw, reply.raw, options);
      };
      // biome-ignore lint/suspicious/noExplicitAny: see `load`
      app.all("/live", (request: any, reply: any) => {
        // `reply.setCookie` would wait for a hook of `onSend`.
        reply.header("Set-Cookie", app.serializeCookie("session", "1"));
        withChannel(toRequest(request, reply), onChannel);
      });
      // biome-ignore lint/suspicious/noExplicitAny: see `load`
      app.all("/consumed", (request: any, reply: any) => void openSession(toRequest(request, reply), echo));
      await app.ready();
      return app.server;
    },
  },
  {
    name: "Koa",
    // koa-compress compresses `ctx.body`, which a channel has not.
    compresses: false,
    start: async (attachTo, onChannel) => {
      const app = new (load("koa"))();
      app.keys = ["x"];
      const server = createServer();
      const attached = attachTo(server);
      app.use(load("koa-helmet")());
      app.use(load("@koa/cors")({ origin: ORIGIN, credentials: true }));
      // By itself it sets its cookie behind the route, when the head is sent.
      app.use(load("koa-session")({ autoCommit: false }, app));
      app.use(load("koa-compress")({ threshold: 0 }));
      app.use(load("koa-bodyparser")({ enableTypes: ["text"] }));
      // biome-ignore lint/suspicious/noExplicitAny: see `load`
      app.use(async (ctx: any) => {
        ctx.session.views = 1;
        await ctx.session.manuallyCommit();
        ctx.respond = false;
        const request = attached.request(ctx.req, ctx.res);
        if (ctx.path === "/live") withChannel(request, onChannel);
        else openSession(request, echo);
      });
      server.on("request", app.callback());
      return server;
    },
  },
];

for (const framework of FRAMEWORKS) {
  describe(`middleware of ${framework.name} before a route of channels`, { skip: needsFrameworks() }, () => {
    for (const [what, accept, pattern] of [
      ["an event stream", "text/event-stream", /^data: ?\d$/gm],
      ["a stream", "*/*", /^\d$/gm],
    ] as const) {
      it(`lets compression pass the parts of ${what} on as they are sent`, async (t) => {
        const { url, channels } = await starting(t, framework);
        const fetched = fetch(`${url}/live`, { headers: { Accept: accept, "Accept-Encoding": "gzip" } });
        await until(() => channels.length === 1, "the channel is open");
        channels[0]!.send("1\n", false);
        const response = await within(fetched, () => "the head");
        assert.equal(response.headers.get("content-encoding"), framework.compresses ? "gzip" : null);
        const reader = response.body!.getReader();
        let text = "";
        for (let number = 1; number <= 3; number++) {
          // Sent only when the one before has come.
          if (number > 1) channels[0]!.send(`${number}\n`, number === 3);
          while (text.match(pattern)?.length !== number) {
            const { value, done } = await within(reader.read(), () => `number ${number} after ${JSON.stringify(text)}`);
            assert.ok(!done, text);
            text += Buffer.from(value).toString();
          }
        }
        const end = await within(reader.read(), () => "the end");
        assert.equal(end.done, true);
      });
    }

    it("keeps its fields on an event stream and on the 101, and none of them twice", async (t) => {
      const { url } = await starting(t, framework);
      const stream = await fetch(`${url}/live`, { headers: { Accept: "text/event-stream", Origin: ORIGIN } });
      await stream.body!.cancel();
      const socket = new WebSocket(`${url.replace("http", "ws")}/live`, {
        origin: ORIGIN,
        headers: { "Accept-Encoding": "gzip" },
      });
      const [upgraded] = (await within(once(socket, "upgrade"), () => "the 101")) as [IncomingMessage];
      socket.terminate();
      for (const get of [
        (name: string) => stream.headers.get(name),
        (name: string) => upgraded.headers[name] as string | undefined,
      ]) {
        assert.equal(get("x-content-type-options"), "nosniff");
        assert.match(get("content-security-policy") ?? "", /default-src 'self'/);
        assert.equal(get("access-control-allow-origin"), ORIGIN);
        assert.equal(get("access-control-allow-credentials"), "true");
      }
      const names = upgraded.rawHeaders
        .filter((_, at) => at % 2 === 0)
        .map((name) => name.toLowerCase())
        .filter((name) => name !== "set-cookie");
      assert.deepEqual([...names].sort(), [...new Set(names)].sort());
      // It would be there if `compression` had made a compressor, of 270 kB, for the 101.
      if (framework.compresses) assert.doesNotMatch(upgraded.headers.vary ?? "", /Accept-Encoding/i);
      assert.ok(stream.headers.getSetCookie().length > 0, "the cookie of a session on the stream");
      assert.ok(upgraded.headers["set-cookie"]?.[0], "the cookie of a session on the 101");
    });

    it("that has read the body of a session's POST is reported as BODY_USED, which says what to do", async (t) => {
      await assertBodyUsed(t, framework);
    });
  });
}

describe("middleware of Hono before a session", { skip: needsFrameworks() }, () => {
  it("that has read the body of its POST is reported as BODY_USED, which says what to do", async (t) => {
    const { Hono } = require("hono");
    const { createAdaptorServer } = require("@hono/node-server");
    const start = async (attachTo: (server: Server) => Attached): Promise<Server> => {
      const app = new Hono();
      // biome-ignore lint/suspicious/noExplicitAny: see `load`
      app.use(async (c: any, next: () => Promise<void>) => {
        await c.req.text();
        await next();
      });
      app.all("/consumed", (c: Context) => openHonoSession(c, echo));
      const server: Server = createAdaptorServer({ fetch: app.fetch });
      attachTo(server);
      return server;
    };
    await assertBodyUsed(t, { name: "Hono", compresses: false, start });
  });
});

async function assertBodyUsed(t: TestContext, framework: Framework): Promise<void> {
  const { url, reports } = await starting(t, framework);
  const opened = await (await fetch(`${url}/consumed?mode=poll`)).text();
  const token = /(?:^|\s)o?\S*?([\w-]{20,})/m.exec(opened)?.[1];
  assert.ok(token !== undefined, opened);
  const { status } = await fetch(`${url}/consumed?session=${token}&from=1`, {
    method: "POST",
    headers: { "Content-Type": "text/plain" },
    body: "data: hello\n\n",
  });
  assert.equal(status, 500);
  assert.equal(reports[0]?.code, "BODY_USED");
  assert.match(reports[0].message, /\{ body: req\.body \}.*move the route before the parser/);
}

async function starting(t: TestContext, framework: Framework): Promise<Site> {
  const channels: Channel[] = [];
  const reports: ChannelError[] = [];
  const onError = (error: unknown) => void reports.push(error as ChannelError);
  const servers: Attached[] = [];
  const server = await framework.start(
    (http) => {
      const attached = attach(http, { upgrades: "/live", allowedOrigins: [ORIGIN], onError, logger: QUIET });
      servers.push(attached);
      return attached;
    },
    (channel) => void channels.push(channel),
  );
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(async () => {
    for (const attached of servers) await attached.stop({ graceMs: 0 });
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, channels, reports };
}
