// Pages of other origins in a real browser: what they may read and send, with `allowedOrigins`, and what those see that may
// not. The page is of 127.0.0.1, the server that it asks is localhost or another port.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type ChannelRequest,
  createChannelStore,
  openSession,
  pollGroup,
  type ServeOptions,
  serve,
  withChannel,
} from "../../../src/index.ts";
import { BLANK, type Rig } from "../engines/rig.ts";
import { clientScript } from "./client-site.ts";

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly origin: string | null;
  readonly cookie: string | null;
}

interface World {
  /** The origin of the page. */
  readonly origin: string;
  /** The other origin, where the server is. */
  readonly url: string;
  /** Requests that reached the server's handler. */
  readonly asked: Asked[];
  /** Runs a body of an async function in the page. `url` is the server's, `connect` the client's. */
  run(body: string): Promise<unknown>;
}

/** The options of the server, for the origin of the page; and whether the server is asked by the name localhost. */
type Setting = [options: (origin: string) => ServeOptions, where?: { readonly isNamed?: boolean }];

/** A page of 127.0.0.1 and a server on another port; by the name localhost, if `isNamed`. */
async function worldOf(
  { newPage }: Rig,
  t: TestContext,
  ...[options, { isNamed = true } = {}]: Setting
): Promise<World> {
  const script = await clientScript;
  const pages = await serve(({ path }) => (path === "/client.js" ? script : BLANK), { host: "127.0.0.1", port: 0 });
  t.after(() => pages.stop({ graceMs: 100 }));
  const origin = `http://127.0.0.1:${pages.port}`;
  const asked: Asked[] = [];
  const store = createChannelStore();
  await store.publish("g", "kept");
  const server = await serve(
    (r) => {
      asked.push({ method: r.method, path: r.path, origin: r.headers.get("origin"), cookie: r.headers.get("cookie") });
      return answer(r, store);
    },
    { host: "127.0.0.1", port: 0, onError() {}, logger: { info() {}, warn() {}, error() {} }, ...options(origin) },
  );
  t.after(() => server.stop({ graceMs: 100 }));
  t.after(() => store.close());
  const url = `http://${isNamed ? "localhost" : "127.0.0.1"}:${server.port}`;
  const page = await newPage(t);
  await page.goto(origin);
  return {
    origin,
    url,
    asked,
    run: (body) =>
      page.evaluate(`(async () => {
        const url = ${JSON.stringify(url)};
        const { connect } = await import("/client.js");
        ${body}
      })()`),
  };
}

function answer(r: ChannelRequest, store: ReturnType<typeof createChannelStore>): never {
  const result = (): unknown => {
    switch (r.path) {
      case "/text":
        return { headers: { "X-Own": "own", "X-Hidden": "hidden" }, body: "text" };
      case "/401":
        return { status: 401, body: "log in first" };
      case "/403":
        return { status: 403, body: "not you" };
      case "/503":
        return { status: 503, headers: { "Retry-After": 7 }, body: "later" };
      case "/body":
        return r.text();
      case "/log-in":
        return { headers: { "Set-Cookie": "user=ann; Path=/" }, body: "ann" };
      case "/cookie":
        return { headers: { "Set-Cookie": "seen=yes; Path=/" }, body: r.headers.get("cookie") ?? "none" };
      case "/channel":
        return withChannel(r, (channel) => {
          channel.onMessage((message) => channel.send(message));
          channel.send("hello", false);
          if (!channel.isWebSocket) channel.close();
        });
      case "/group":
        return pollGroup(r, store, "g");
      case "/login":
        return r.headers.get("authorization") === "Bearer t" ? echo(r) : { status: 401, body: "log in first" };
      case "/user":
        return /user=ann/.test(r.headers.get("cookie") ?? "") ? echo(r) : { status: 401, body: "log in first" };
      case "/session":
        return echo(r);
      default:
        return undefined;
    }
  };
  return result() as never;
}

function echo(r: ChannelRequest): unknown {
  return openSession(r, { message: (message, channel) => channel.send(`echo ${message}`) });
}

const allowed = (origin: string): ServeOptions => ({ allowedOrigins: [origin] });
const notAllowed = (): ServeOptions => ({ allowedOrigins: ["https://other.example"] });
const nobody = (): ServeOptions => ({});

/** In a page: a session that says hello and is answered, or how it ended instead. */
const CONVERSE = (path: string, options: string): string => `
  const connection = connect(url + "${path}", ${options});
  connection.send("hello");
  const heard = new Promise((resolve) => connection.onMessage((message) => resolve(connection.transport + ": " + message)));
  const ended = connection.closed.then(({ code, reason }) => "closed " + code + " " + reason);
  const said = await Promise.race([heard, ended]);
  connection.close();
  return said;`;

const FETCH_TEXT = (path: string, init = "{}"): string =>
  `return fetch(url + "${path}", ${init}).then(async (r) => r.status + " " + await r.text(), (error) => "unreadable");`;

export function crossOriginSuite(rig: Rig): void {
  const world = (t: TestContext, ...setting: Setting): Promise<World> => worldOf(rig, t, ...setting);

  describe("A page of an allowed origin", () => {
    for (const isNamed of [true, false]) {
      const where = isNamed ? "another host" : "another port";
      it(`reads what a handler, a channel and a poll of ${where} answer`, async (t) => {
        const { run } = await world(t, allowed, { isNamed });
        assert.equal(await run(FETCH_TEXT("/text")), "200 text");
        assert.equal(await run(FETCH_TEXT("/channel")), "200 hello");
        assert.match(String(await run(FETCH_TEXT("/group?since="))), /^200 \{"messages":\[\{.*"data":"kept"/);
        assert.equal(await run(FETCH_TEXT("/nothing")), "404 Not Found\n");
      });
    }

    it("reads why it is refused: 401, 403, and 503 with Retry-After", async (t) => {
      const { run } = await world(t, allowed);
      assert.equal(await run(FETCH_TEXT("/401")), "401 log in first");
      assert.equal(await run(FETCH_TEXT("/403")), "403 not you");
      const retry = await run(
        `const r = await fetch(url + "/503"); return r.status + " " + r.headers.get("retry-after");`,
      );
      assert.equal(retry, "503 7");
    });

    it("reads an event stream with EventSource, with cookies too", async (t) => {
      const { run } = await world(t, allowed);
      for (const withCredentials of [false, true]) {
        const said = await run(`
        const source = new EventSource(url + "/channel", { withCredentials: ${withCredentials} });
        return new Promise((resolve) => {
          source.onmessage = ({ data }) => { source.close(); resolve(data); };
          source.onerror = () => { source.close(); resolve("error"); };
        });`);
        assert.equal(said, "hello");
      }
    });

    it("opens a plain WebSocket", async (t) => {
      const { run } = await world(t, allowed);
      const said = await run(`
      const socket = new WebSocket(url.replace("http", "ws") + "/channel");
      return new Promise((resolve) => {
        socket.onmessage = ({ data }) => data === "hello" ? socket.send("ping") : resolve(data);
        socket.onerror = () => resolve("error");
      });`);
      assert.equal(said, "ping");
    });

    for (const carrier of ["websocket", "sse", "poll"]) {
      it(`has a session on ${carrier}`, async (t) => {
        const { run } = await world(t, allowed);
        assert.equal(await run(CONVERSE("/session", `{ carriers: ["${carrier}"] }`)), `${carrier}: echo hello`);
      });

      it(`is told by the handler's 401 that its session on ${carrier} has no use, if it can read it`, async (t) => {
        const { run, asked } = await world(t, allowed);
        if (carrier === "websocket") {
          // A page sees no status of a WebSocket: it learns it from the stream that is tried next.
          assert.equal(await run(CONVERSE("/login", "{}")), "closed 1008 HTTP 401");
        } else {
          assert.equal(await run(CONVERSE("/login", `{ carriers: ["${carrier}"] }`)), "closed 1008 HTTP 401");
          assert.equal(asked.length, 1);
        }
      });
    }

    it("sends headers of its own through a handler that asks for them, whose preflights never reach it", async (t) => {
      const { run, asked } = await world(t, allowed);
      const options = `{ carriers: ["sse", "poll"], headers: { Authorization: "Bearer t" } }`;
      assert.equal(await run(CONVERSE("/login", options)), "sse: echo hello");
      assert.deepEqual(
        asked.filter(({ method }) => method === "OPTIONS"),
        [],
      );
    });

    it("posts JSON after a preflight, which the handler does not see", async (t) => {
      const { run, asked } = await world(t, allowed);
      const init = `{ method: "POST", headers: { "Content-Type": "application/json", "X-Custom": "1" }, body: '{"a":1}' }`;
      assert.equal(await run(FETCH_TEXT("/body", init)), '200 {"a":1}');
      assert.deepEqual(
        asked.map(({ method }) => method),
        ["POST"],
      );
    });

    for (const method of ["PUT", "DELETE"]) {
      it(`may ${method} where allowMethods names it, and not otherwise`, async (t) => {
        const open = await world(t, (origin) => ({ allowedOrigins: [origin], cors: { allowMethods: [method] } }));
        assert.equal(await open.run(FETCH_TEXT("/text", `{ method: "${method}" }`)), "200 text");
        assert.deepEqual(
          open.asked.map((one) => one.method),
          [method],
        );
        const closed = await world(t, allowed);
        assert.equal(await closed.run(FETCH_TEXT("/text", `{ method: "${method}" }`)), "unreadable");
        assert.deepEqual(
          closed.asked.map((one) => one.method),
          ["OPTIONS"],
        );
      });
    }

    it("reads the header fields that exposeHeaders names, and no others", async (t) => {
      const { run } = await world(t, (origin) => ({ allowedOrigins: [origin], cors: { exposeHeaders: ["X-Own"] } }));
      const fields = await run(
        `const { headers } = await fetch(url + "/text"); return [headers.get("x-own"), headers.get("x-hidden")];`,
      );
      assert.deepEqual(fields, ["own", null]);
    });

    it("sends and gets cookies with credentials, unless cors says no", async (t) => {
      const { run } = await world(t, allowed, { isNamed: false });
      assert.equal(await run(FETCH_TEXT("/log-in", `{ credentials: "include" }`)), "200 ann");
      assert.equal(await run(FETCH_TEXT("/cookie")), "200 none");
      assert.equal(await run(FETCH_TEXT("/cookie", `{ credentials: "include" }`)), "200 user=ann");
      assert.equal(await run(FETCH_TEXT("/cookie", `{ credentials: "include" }`)), "200 user=ann; seen=yes");
      const without = await world(t, (origin) => ({ allowedOrigins: [origin], cors: { credentials: false } }));
      assert.equal(await without.run(FETCH_TEXT("/cookie", `{ credentials: "include" }`)), "unreadable");
      assert.equal(await without.run(FETCH_TEXT("/cookie")), "200 none");
    });

    it("has a session with its visitor's cookies on every carrier, with credentials: include", async (t) => {
      const { run } = await world(t, allowed, { isNamed: false });
      assert.equal(await run(FETCH_TEXT("/log-in", `{ credentials: "include" }`)), "200 ann");
      for (const carrier of ["websocket", "sse", "poll"]) {
        const options = `{ carriers: ["${carrier}"], credentials: "include" }`;
        assert.equal(await run(CONVERSE("/user", options)), `${carrier}: echo hello`);
      }
      assert.equal(await run(CONVERSE("/user", `{ carriers: ["sse"] }`)), "closed 1008 HTTP 401");
    });
  });

  describe('Any page, where "any" may connect,', () => {
    it("reads answers without cookies alone", async (t) => {
      const { run } = await world(t, () => ({ allowedOrigins: "any" }));
      assert.equal(await run(FETCH_TEXT("/text")), "200 text");
      assert.equal(await run(FETCH_TEXT("/text", `{ credentials: "include" }`)), "unreadable");
      assert.equal(await run(CONVERSE("/session", `{ carriers: ["sse"] }`)), "sse: echo hello");
    });
  });

  for (const [why, options] of [
    ["that is not in allowedOrigins", notAllowed],
    ["of another origin, without allowedOrigins,", nobody],
  ] as const) {
    describe(`A page ${why}`, () => {
      it("reads no answer, whoever gives it", async (t) => {
        const { run } = await world(t, options);
        for (const path of ["/text", "/401", "/channel", "/group", "/nothing"]) {
          assert.equal(await run(FETCH_TEXT(path)), "unreadable", path);
        }
        assert.equal(await run(FETCH_TEXT("/cookie", `{ credentials: "include" }`)), "unreadable");
      });

      it("hears nothing of an event stream", async (t) => {
        const { run } = await world(t, options);
        const said = await run(`
        const source = new EventSource(url + "/channel");
        return new Promise((resolve) => {
          source.onmessage = ({ data }) => resolve(data);
          source.onerror = () => { source.close(); resolve("error"); };
        });`);
        assert.equal(said, "error");
      });

      it("opens no WebSocket; neither an upgrade check nor the handler behind it is asked", async (t) => {
        let checks = 0;
        const { run, asked } = await world(t, () => ({ ...options(), upgrade: () => void (checks += 1) }));
        const said = await run(`
        const socket = new WebSocket(url.replace("http", "ws") + "/channel");
        return new Promise((resolve) => {
          socket.onopen = () => resolve("open");
          socket.onclose = ({ code }) => resolve("closed " + code);
        });`);
        assert.equal(said, "closed 1006");
        assert.equal(checks, 0);
        assert.deepEqual(asked, []);
      });

      it("is told by a session that it is refused, and stops asking", async (t) => {
        const { run } = await world(t, options);
        for (const carriers of [`["sse"]`, `["poll"]`, `["websocket", "sse", "poll"]`]) {
          assert.equal(await run(CONVERSE("/session", `{ carriers: ${carriers} }`)), "closed 1008 HTTP 403", carriers);
        }
      });

      it("cannot post JSON: its preflight is not granted", async (t) => {
        const { run, asked } = await world(t, options);
        const init = `{ method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" }`;
        assert.equal(await run(FETCH_TEXT("/body", init)), "unreadable");
        assert.ok(!asked.some(({ method }) => method === "POST"));
      });
    });
  }
}
