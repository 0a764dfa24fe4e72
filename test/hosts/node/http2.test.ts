// Channels inside a server of node:http2: its requests, the WebSockets that an extended CONNECT opens (RFC 8441), and what other
// code does with the same streams.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createSecureServer, createServer, type ServerHttp2Stream } from "node:http2";
import { describe, it, type TestContext } from "node:test";
import { ChannelError, type CloseStatus, withChannel } from "../../../src/index.ts";
import { type Attached, type AttachOptions, attach, type NodeRequest, type NodeResponse } from "../../../src/node.ts";
import { type AttachedSite, attaching, attachingTo } from "../../support/attached.ts";
import { Http2Client } from "../../support/http2-client.ts";
import { certificate, noCertificate, request } from "../../support/serving.ts";
import { deferred, until } from "../../support/wait.ts";
import { upgradeRequest, WsClient } from "../../support/ws-client.ts";

type Route = (attached: Attached, req: NodeRequest, res: NodeResponse) => unknown;

const CONNECT = { settings: { enableConnectProtocol: true } };
const POST = { ":method": "POST", ":path": "/live" };
const PLAIN_CONNECT = { ":method": "CONNECT", ":authority": "other.example:443" };

interface Host {
  readonly site: AttachedSite;
  readonly client: Http2Client;
}

/** A server of HTTP/2 without TLS whose every request is answered by the route, and a client of it. */
async function hosting(t: TestContext, route: Route, options: Partial<AttachOptions> = {}): Promise<Host> {
  const toListener = (attached: Attached) => (req: NodeRequest, res: NodeResponse) => void route(attached, req, res);
  const site = await attachingTo(createServer(CONNECT), t, toListener, options);
  return { site, client: await Http2Client.connect(t, site.target) };
}

/** Echoes on `/live`; every other path is 404. */
function echo(attached: Attached, req: NodeRequest, res: NodeResponse): void {
  if (!req.url!.startsWith("/live")) {
    res.statusCode = 404;
    res.end("no such route\n");
    return;
  }
  withChannel(attached.request(req, res), (channel) => {
    channel.onMessage((message) => channel.send(`${channel.transport} ${message}`));
    if (!channel.isWebSocket) channel.send("hello", false);
  });
}

function codeOf(report: { readonly error: unknown } | undefined): string {
  assert.ok(report?.error instanceof ChannelError);
  return report.error.code;
}

describe("a server of node:http2", () => {
  it("has one route for WebSockets and event streams, which sees GET for both", async (t) => {
    const methods: string[] = [];
    const route: Route = (attached, req, res) => {
      methods.push(`${req.method} ${req.url}`);
      echo(attached, req, res);
    };
    const { site, client } = await hosting(t, route, { upgrades: "/live" });
    const socket = await client.webSocket({ ":path": "/live?a=b" });
    socket.send("hi");
    assert.equal(await socket.message(), "websocket hi");
    const events = client.open({ ":path": "/live", accept: "text/event-stream" });
    assert.match(String(await events.chunk()), /data: hello/);
    assert.deepEqual(site.attached.stats().channels, { websocket: 1, sse: 1, stream: 0, poll: 0 });
    assert.deepEqual(methods, ["GET /live?a=b", "GET /live"]);
    events.end();
    socket.close(1000);
    socket.raw.end();
    await until(() => site.attached.stats().connections === 0, "nothing is open");
  });

  it("serves both versions of HTTP on one port", { skip: noCertificate }, async (t) => {
    const server = createSecureServer({ ...certificate(), allowHTTP1: true, ...CONNECT });
    const listener = (attached: Attached) => (req: NodeRequest, res: NodeResponse) => echo(attached, req, res);
    const site = await attachingTo(server, t, listener, { upgrades: "/live" });
    const client = await Http2Client.connect(t, site.target);
    const second = await client.webSocket({ ":path": "/live" });
    const first = await WsClient.open(t, site.target, { path: "/live" });
    for (const socket of [second, first]) {
      socket.send("hi");
      assert.equal(await socket.message(), "websocket hi");
    }
    const events = await site.connect();
    events.write(request("GET /live\r\nAccept: text/event-stream"));
    await events.head();
    assert.match(String(await events.chunk()), /data: hello/);
    assert.equal((await client.request({ ":path": "/other" })).status, 404);
    assert.equal((await site.request("GET /other")).status, 404);
    assert.deepEqual(site.attached.stats().channels, { websocket: 2, sse: 1, stream: 0, poll: 0 });
  });

  it("answers a request by its version, and by what it is, not by what it says", { skip: noCertificate }, async (t) => {
    const server = createSecureServer({ ...certificate(), allowHTTP1: true });
    const site = await attachingTo(server, t, (attached) => attached.listener(() => "never"));
    const client = await site.connect();
    client.write("GET / HTTP/2.0\r\nHost: x\r\n\r\n");
    assert.ok([400, 505].includes((await client.response()).status));
  });

  it("leaves streams to a stream listener of the application, beside ours", async (t) => {
    const server = createServer(CONNECT);
    server.on("stream", (stream: ServerHttp2Stream, headers) => {
      if (headers[":path"] !== "/own") return;
      stream.respond({ ":status": 200 });
      if (headers[":method"] === "CONNECT") stream.pipe(stream);
      else stream.end("the application's");
    });
    const site = await attachingTo(server, t, (attached) => (req, res) => {
      if (req.url !== "/own") echo(attached, req, res);
    });
    const client = await Http2Client.connect(t, site.target);
    assert.equal((await client.request({ ":path": "/own" })).text, "the application's");
    const theirs = client.open({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/own" }, false);
    theirs.write("echo");
    assert.equal(String(await theirs.chunk()), "echo");
    theirs.write("again");
    assert.equal(String(await theirs.chunk()), "again");
    const events = client.open({ ":path": "/live", accept: "text/event-stream" });
    assert.match(String(await events.chunk()), /data: hello/);
    const socket = await client.webSocket({ ":path": "/live" });
    socket.send("hi");
    assert.equal(await socket.message(), "websocket hi");
  });
});

describe("a WebSocket over HTTP/2 that is ours", () => {
  it("keeps the headers that middleware has set in its 200, and none of them twice", async (t) => {
    const { client } = await hosting(t, (attached, req, res) => {
      const asked = attached.request(req, res);
      res.setHeader("X-Request-Id", "7");
      res.setHeader("Set-Cookie", ["a=1", "b=2"]);
      res.setHeader("Content-Type", "text/html");
      withChannel(asked, () => {}, { headers: { "X-Request-Id": "8", "Set-Cookie": "c=3" } });
    });
    const { headers } = (await client.webSocket()).head;
    assert.deepEqual(headers.get("x-request-id"), ["8"]);
    assert.deepEqual(headers.get("set-cookie"), ["a=1", "b=2", "c=3"]);
    assert.equal(headers.has("content-type"), false);
  });

  it("passes through the guard before its route, whose 403 costs its stream alone", async (t) => {
    const { site, client } = await hosting(t, (attached, req, res) => {
      if (req.headers.authorization !== undefined) return echo(attached, req, res);
      res.statusCode = 403;
      return res.end("not you\n");
    });
    const refused = client.open(
      { ":method": "CONNECT", ":protocol": "websocket", ":path": "/live", "sec-websocket-version": "13" },
      false,
    );
    assert.equal((await refused.head()).status, 403);
    await refused.until(() => refused.isClosed, "the end of the stream");
    assert.equal(refused.peek().toString(), "not you\n");
    await until(() => site.attached.stats().connections === 0, "nothing is open");
    const socket = await client.webSocket({ ":path": "/live", authorization: "Basic YTpi" });
    socket.send("hi");
    assert.equal(await socket.message(), "websocket hi");
  });

  it("is answered by an ordinary response of a handler", async (t) => {
    const { client } = await hosting(t, (attached, req, res) => {
      attached.listener(({ method, isWebSocket }) => ({ status: 403, body: `${method} ${isWebSocket}` }))(req, res);
    });
    const answer = await client.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/" });
    assert.deepEqual([answer.status, answer.text], [403, "GET true"]);
  });

  it("delivers the messages that came while its route was still asking", async (t) => {
    const gate = deferred();
    const { site, client } = await hosting(t, async (attached, req, res) => {
      await gate.promise;
      echo(attached, req, res);
    });
    const opening = client.webSocket({ ":path": "/live" });
    await until(() => site.attached.stats().connections === 1, "the upgrade waits");
    gate.resolve();
    const socket = await opening;
    socket.send("later");
    assert.equal(await socket.message(), "websocket later");
  });

  it("gets 500 after headerTimeoutMs where no route answers, which is reported", async (t) => {
    const { site, client } = await hosting(t, () => {}, { headerTimeoutMs: 1 });
    const answer = await client.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/live" });
    assert.equal(answer.status, 500);
    const [report] = site.takeReports();
    assert.deepEqual([codeOf(report), report?.source], ["UPGRADE_UNANSWERED", "upgrade"]);
    assert.equal(site.attached.stats().connections, 0);
  });

  it("waits for a route that has asked for its request, however long that takes", async (t) => {
    const gate = deferred();
    const { site, client } = await hosting(
      t,
      async (attached, req, res) => {
        const asked = attached.request(req, res);
        await gate.promise;
        withChannel(asked, (channel) => void channel.send("at last"));
      },
      { headerTimeoutMs: 0 },
    );
    const opening = client.webSocket();
    await until(() => site.attached.stats().requests === 1, "the route has its request");
    await new Promise((resolve) => setTimeout(resolve, 1200));
    gate.resolve();
    assert.equal(await (await opening).message(), "at last");
  });

  it("fails closed, with a report, where the function of upgrades throws", async (t) => {
    const { site, client } = await hosting(t, echo, {
      upgrades: () => {
        throw new Error("of upgrades");
      },
    });
    assert.equal(
      (await client.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/live" })).status,
      500,
    );
    assert.equal(site.takeReports()[0]?.source, "upgrade");
  });
});

describe("a CONNECT that is not ours", () => {
  for (const [what, headers] of [
    ["a WebSocket", { ":method": "CONNECT", ":protocol": "websocket", ":path": "/elsewhere" }],
    ["a protocol that is not WebSocket", { ":method": "CONNECT", ":protocol": "connect-udp", ":path": "/live" }],
    ["a tunnel", PLAIN_CONNECT],
  ] as const) {
    it(`gets 405 where nobody else listens for it, as without us: ${what}`, async (t) => {
      const { client } = await hosting(t, echo, { upgrades: "/live" });
      assert.equal((await client.request(headers)).status, 405);
    });

    it(`is left to the listener that it is meant for: ${what}`, async (t) => {
      const { site, client } = await hosting(t, echo, { upgrades: "/live" });
      site.http.on("connect", (_: unknown, res: unknown) => {
        (res as NodeResponse).statusCode = 418;
        (res as NodeResponse).end("theirs");
      });
      assert.equal((await client.request(headers)).text, "theirs");
    });
  }

  it("ends its connection over HTTP/1.1, as without us, unless somebody listens", {
    skip: noCertificate,
  }, async (t) => {
    const server = createSecureServer({ ...certificate(), allowHTTP1: true });
    const site = await attachingTo(server, t, (attached) => (req, res) => echo(attached, req, res));
    const first = await site.connect();
    first.write("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    await first.ended();
    assert.equal(first.peek().length, 0);
    site.http.on("connect", (_, socket) => socket.end("HTTP/1.1 418 theirs\r\nContent-Length: 0\r\n\r\n"));
    const second = await site.connect();
    second.write("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    assert.equal((await second.response()).status, 418);
  });
});

describe("a server of node:http2 without enableConnectProtocol", () => {
  const warnings = async (t: TestContext, options: Partial<AttachOptions>, allowHTTP1 = false): Promise<string[]> => {
    const lines: string[] = [];
    const logger = { info() {}, error() {}, warn: (_: object, line: string) => void lines.push(line) };
    const server = allowHTTP1 ? createSecureServer({ ...certificate(), allowHTTP1 }) : createServer();
    const listener = (attached: Attached) => (req: NodeRequest, res: NodeResponse) => echo(attached, req, res);
    const site = await attachingTo(server, t, listener, { logger, ...options });
    for (let clients = 0; clients < 2; clients++) {
      const client = await Http2Client.connect(t, site.target);
      assert.equal((await client.request({ ":path": "/other" })).status, 404);
    }
    return lines;
  };

  it("is warned of once, with the setting to make", async (t) => {
    const lines = await warnings(t, { upgrades: "/live" });
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /clients of HTTP\/2 cannot open WebSockets: .*settings: \{ enableConnectProtocol: true \}/);
  });

  it("is not warned of where there are to be no WebSockets", async (t) => {
    assert.deepEqual(await warnings(t, { upgrades: [] }), []);
  });

  it("is not warned of where clients may open them over HTTP/1.1", { skip: noCertificate }, async (t) => {
    assert.deepEqual(await warnings(t, { upgrades: "/live" }, true), []);
  });
});

describe("other code that uses a stream of ours", () => {
  it("is reported, and the channel ends, where it ends the response", async (t) => {
    const closed: number[] = [];
    const { site, client } = await hosting(t, (attached, req, res) => {
      withChannel(attached.request(req, res), (channel) => channel.onClose(({ code }) => void closed.push(code)));
      // Koa does so where `ctx.respond` was not set to false.
      res.statusCode = 404;
      res.end("Not Found");
    });
    assert.equal((await client.request()).text, "Not Found");
    await until(() => closed.length === 1, "the close handler has run");
    const [report] = site.takeReports();
    assert.equal(codeOf(report), "ALREADY_ANSWERED");
    assert.match(String(report?.error), /Koa: ctx\.respond = false/);
  });

  it("ends a WebSocket whose response a framework ends as well, and says what to do", async (t) => {
    const closed: number[] = [];
    const { site, client } = await hosting(t, (attached, req, res) => {
      withChannel(attached.request(req, res), (channel) => channel.onClose(({ code }) => void closed.push(code)));
      res.end("Not Found");
    });
    const socket = await client.webSocket();
    await socket.raw.until(() => socket.raw.isClosed, "the end of the stream");
    await until(() => closed.length === 1, "the close handler has run");
    const [report] = site.takeReports();
    assert.deepEqual([codeOf(report), closed], ["ALREADY_ANSWERED", [1006]]);
  });

  it("is no mistake where a route has asked for its request and opened no channel", async (t) => {
    const { site, client } = await hosting(t, (attached, req, res) => {
      const asked = attached.request(req, res);
      res.statusCode = asked.isWebSocket ? 401 : 403;
      res.end(asked.path);
    });
    const plain = await client.request({ ":path": "/a" });
    const socket = await client.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/b" });
    assert.deepEqual([plain.status, plain.text, socket.status, socket.text], [403, "/a", 401, "/b"]);
    await until(() => site.attached.stats().connections === 0, "nothing is open");
    assert.equal(site.attached.stats().responses["4xx"], 2);
    await site.attached.stop({ graceMs: Number.POSITIVE_INFINITY });
  });

  it("makes a send throw ALREADY_ANSWERED where it has only begun the response", async (t) => {
    const errors: unknown[] = [];
    const { client } = await hosting(t, (attached, req, res) => {
      withChannel(attached.request(req, res), (channel) => {
        (res as { write(text: string): unknown }).write("theirs");
        try {
          channel.send("ours");
        } catch (error) {
          errors.push(error);
        }
        channel.terminate();
      });
    });
    const raw = client.open();
    await raw.until(() => raw.isClosed, "the end of the stream");
    assert.equal((errors[0] as ChannelError).code, "ALREADY_ANSWERED");
  });

  it("sees the status of our responses when they are over", async (t) => {
    const seen: number[] = [];
    const { client } = await hosting(t, (attached, req, res) => {
      (res as { on(event: "finish", listener: () => void): unknown }).on("finish", () => seen.push(res.statusCode));
      attached.listener(() => ({ status: 418 }))(req, res);
    });
    assert.equal((await client.request()).status, 418);
    await until(() => seen.length === 1, "the middleware has seen the end");
    assert.deepEqual(seen, [418]);
  });
});

describe("request() for a request of HTTP/2", () => {
  async function thrownBy(t: TestContext, route: Route): Promise<ChannelError> {
    const errors: unknown[] = [];
    const { client } = await hosting(t, async (attached, req, res) => {
      try {
        await route(attached, req, res);
      } catch (error) {
        errors.push(error);
        res.end();
      }
    });
    await client.request();
    assert.ok(errors[0] instanceof ChannelError);
    return errors[0];
  }

  it("throws ALREADY_ANSWERED a second time, and where the response has begun", async (t) => {
    const twice = await thrownBy(t, (attached, req, res) => {
      attached.request(req, res);
      attached.request(req, res);
    });
    const begun = await thrownBy(t, (attached, req, res) => {
      (res as { write(text: string): unknown }).write("x");
      attached.request(req, res);
    });
    assert.deepEqual([twice.code, begun.code], ["ALREADY_ANSWERED", "ALREADY_ANSWERED"]);
    assert.match(begun.message, /before anything is sent/);
  });

  it("throws NOT_OUR_REQUEST for a request of another server", async (t) => {
    const other = await attaching(t, () => () => {});
    const error = await thrownBy(t, (_, req, res) => other.attached.request(req, res));
    assert.equal(error.code, "NOT_OUR_REQUEST");
  });

  it("returns a request that is over where the client has left, and a stop does not wait for it", async (t) => {
    const opened: boolean[] = [];
    const closed: number[] = [];
    const { site, client } = await hosting(t, (attached, req, res) => {
      (res as { on(event: "close", listener: () => void): unknown }).on("close", () => {
        const channel = withChannel(attached.request(req, res), (own) => {
          own.onClose(({ code }) => void closed.push(code));
        });
        opened.push(channel.isOpen);
      });
    });
    const raw = client.open();
    await new Promise((resolve) => setTimeout(resolve, 50));
    raw.end();
    await until(() => closed.length > 0, "the route has asked");
    assert.deepEqual([opened, closed], [[false], [1001]]);
    await site.attached.stop({ graceMs: Number.POSITIVE_INFINITY });
  });

  it("is refused for a head that our engine refuses, and its route goes on", async (t) => {
    let opened = 0;
    const { client } = await hosting(t, (attached, req, res) => {
      withChannel(attached.request(req, res), (channel) => {
        opened += 1;
        channel.send("x");
      });
    });
    for (const [headers, status] of [
      [{ ":path": "/a#b" }, 400],
      [{ ":authority": "a.example", host: "b.example" }, 400],
      [{ ":method": "HEAD", ":path": "/a#b" }, 400],
    ] as const) {
      assert.equal((await client.request(headers)).status, status);
    }
    assert.equal(opened, 0);
    assert.equal((await client.request()).text, "x");
  });
});

describe("the body of a request of HTTP/2", () => {
  const read = async (req: NodeRequest): Promise<string> => {
    let text = "";
    for await (const part of req) text += part;
    return text;
  };

  it("is read by us, or by a parser after us", async (t) => {
    const { client } = await hosting(t, async (attached, req, res) => {
      if (req.url === "/ours") attached.listener((asked) => asked.text())(req, res);
      else {
        attached.request(req, res);
        res.end(await read(req));
      }
    });
    assert.equal((await client.request({ ...POST, ":path": "/ours" }, "the body")).text, "the body");
    assert.equal((await client.request(POST, "the body")).text, "the body");
  });

  it("is BODY_USED where a parser has read it, which says to pass it", async (t) => {
    const errors: ChannelError[] = [];
    const { client } = await hosting(t, async (attached, req, res) => {
      await read(req);
      const asked = attached.request(req, res);
      await asked.text().catch((thrown) => errors.push(thrown));
      withChannel(asked, (channel) => void channel.send("still answered"));
    });
    assert.equal((await client.request(POST, "body")).text, "still answered");
    assert.equal(errors[0]?.code, "BODY_USED");
    assert.match(errors[0]!.message, /\{ body: req\.body \}/);
  });

  it("is read from what the application passes", async (t) => {
    const { client } = await hosting(t, async (attached, req, res) => {
      const asked = attached.request(req, res, { body: await read(req) });
      const text = await asked.text();
      withChannel(asked, (channel) => void channel.send(`passed ${text}`));
    });
    assert.equal((await client.request(POST, "body")).text, "passed body");
  });

  it("is refused over maxBodyBytes, by its declared length and by its bytes, and just fits", async (t) => {
    const { client } = await hosting(
      t,
      (attached, req, res) => attached.listener(async (asked) => `${(await asked.text()).length}`)(req, res),
      { maxBodyBytes: 10 },
    );
    assert.equal((await client.request(POST, "0123456789")).text, "10");
    assert.equal((await client.request(POST, "0123456789a")).status, 413);
    assert.equal((await client.request({ ...POST, "content-length": "11" }, "0123456789a")).status, 413);
  });
});

describe("a client of HTTP/2 that is hostile, inside a server of node:http2", () => {
  it("comes to no refusal by what its streams had not sent at their resets: it is told to open another connection", async (t) => {
    const { site, client: first } = await hosting(t, (attached, req, res) =>
      attached.listener(() => "x".repeat(1_000_000))(req, res),
    );
    let client = first;
    let connections = 1;
    for (let i = 0; i < 100; i++) {
      if (client.goaway !== undefined) {
        client = await Http2Client.connect(t, site.target);
        connections += 1;
      }
      const raw = client.open();
      assert.equal((await raw.head()).status, 200, `request ${i}`);
      await until(() => raw.peek().length > 65_000, "the window is full");
      raw.end();
      await raw.until(() => raw.isClosed, "it is reset");
      await client.handled();
    }
    assert.equal(first.goaway, 0);
    await first.closed;
    assert.ok(connections > 2, `${connections} connections`);
  });

  it("leaves the application's streams on its connection alone when it is told to open another one", async (t) => {
    const gate = deferred();
    const { client } = await hosting(t, async (attached, req, res) => {
      if (req.url === "/lost") return attached.listener(() => "x".repeat(1_000_000))(req, res);
      await gate.promise;
      return res.end("the application's");
    });
    const own = client.open({ ":path": "/own" });
    for (let i = 0; i < 30 && client.goaway === undefined; i++) {
      const raw = client.open({ ":path": "/lost" });
      await until(() => raw.peek().length > 65_000, "the window is full");
      raw.end();
      await raw.until(() => raw.isClosed, "it is reset");
      await client.handled();
    }
    assert.equal(client.goaway, 0);
    gate.resolve();
    assert.equal(String(await own.chunk()), "the application's");
    await client.closed;
  });
});

describe("a client of HTTP/2 that still uploads when its body is refused", () => {
  for (const [what, fields] of [
    ["its length", { "content-length": "50000000" }],
    ["its bytes", {}],
  ] as const) {
    it(`gets the whole 413, for ${what}, and its stream ends without an error (RFC 9113 §8.1)`, async (t) => {
      const { client } = await hosting(
        t,
        (attached, req, res) => attached.listener(async (asked) => `${(await asked.text()).length}`)(req, res),
        { maxBodyBytes: 100_000 },
      );
      const raw = client.open({ ...POST, ...fields }, false);
      raw.stream.write(Buffer.alloc(1_000_000));
      assert.equal((await raw.head()).status, 413);
      await raw.until(() => raw.isClosed, "the end of the stream");
      assert.match(String(raw.peek()), /maxBodyBytes/);
      assert.equal(raw.stream.rstCode, 0);
      assert.equal((await client.request(POST, "next")).text, "4");
    });
  }
});

describe("the end of channels inside a server of node:http2", () => {
  async function opening(
    t: TestContext,
  ): Promise<Host & { readonly socket: WsClient; readonly closed: CloseStatus[] }> {
    const closed: CloseStatus[] = [];
    const host = await hosting(
      t,
      (attached, req, res) => {
        if (req.url !== "/live") return res.end("the application's");
        return withChannel(attached.request(req, res), (channel) =>
          channel.onClose((status) => void closed.push(status)),
        );
      },
      { upgrades: "/live" },
    );
    const socket = await host.client.webSocket({ ":path": "/live" });
    await host.client.open({ ":path": "/live", accept: "text/event-stream" }).head();
    await until(() => host.site.attached.stats().channels.sse === 1, "both are open");
    return { ...host, socket, closed };
  }

  it("is their stop, which leaves the server and its connections to the application", async (t) => {
    const { site, client, socket, closed } = await opening(t);
    const stopped = site.attached.stop({ graceMs: 5000 });
    assert.equal((await socket.closed()).code, 1001);
    socket.close(1001);
    socket.raw.end();
    await stopped;
    assert.deepEqual(closed.map(({ by, code }) => `${by} ${code}`).sort(), ["server 1000", "server 1001"]);
    assert.equal((await client.request({ ":path": "/other" })).text, "the application's");
    const refused = await client.request({ ":path": "/live" });
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, ["1"]]);
    const answer = await client.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/live" });
    assert.equal(answer.status, 503);
  });

  it("comes after graceMs for those that are still open", async (t) => {
    const { site, closed } = await opening(t);
    await site.attached.stop({ graceMs: 0 });
    assert.equal(closed.length, 2);
    assert.equal(site.attached.stats().connections, 0);
  });

  it("comes when the server closes under them", async (t) => {
    const { site, client, socket, closed } = await opening(t);
    const over = once(site.http, "close");
    site.http.close();
    assert.equal((await socket.closed()).code, 1001);
    socket.close(1001);
    socket.raw.end();
    await until(() => site.attached.status === "stopped", "it is stopped");
    assert.equal(closed.length, 2);
    client.session.close();
    await over;
  });

  it("comes when their client drops its connection", async (t) => {
    const { site, client, closed } = await opening(t);
    client.session.destroy();
    await until(() => closed.length === 2, "their close handlers have run");
    await until(() => site.attached.stats().connections === 0, "nothing is open");
  });

  it("lets another attach to the server", async (t) => {
    const server = createServer(CONNECT);
    const first = attach(server, { upgrades: "/live" });
    assert.throws(() => attach(server, { upgrades: "/other" }), { code: "ALREADY_ATTACHED" });
    await first.stop();
    const second = attach(server, { upgrades: "/live" });
    t.after(() => second.stop());
    assert.deepEqual([server.listenerCount("connect"), server.listenerCount("upgrade")], [1, 1]);
  });
});

describe("an upgrade of HTTP/1.1 on a server of both versions", { skip: noCertificate }, () => {
  it("is left to its own listener where it is not ours", async (t) => {
    const server = createSecureServer({ ...certificate(), allowHTTP1: true, ...CONNECT });
    const site = await attachingTo(server, t, (attached) => (req, res) => echo(attached, req, res), {
      upgrades: "/live",
    });
    site.http.on("upgrade", (req, socket) => {
      if (req.url === "/graphql") socket.end("HTTP/1.1 418 theirs\r\nContent-Length: 0\r\n\r\n");
    });
    const client = await site.connect();
    client.write(upgradeRequest("/graphql"));
    assert.equal((await client.response()).status, 418);
  });
});
