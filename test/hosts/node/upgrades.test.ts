// The upgrades of a server of node:http: ours become requests of the server, so that one route answers all carriers; others
// stay with their own listeners, and hang for nobody.

import assert from "node:assert/strict";
import { createServer, IncomingMessage, type Server, ServerResponse } from "node:http";
import { Duplex, Readable } from "node:stream";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocketServer } from "ws";
import { ChannelError, withChannel } from "../../../src/index.ts";
import type { Attached } from "../../../src/node.ts";
import { attaching } from "../../support/attached.ts";
import { type Report, request } from "../../support/serving.ts";
import { deferred, until } from "../../support/wait.ts";
import { textFrame, upgradeRequest, WsClient } from "../../support/ws-client.ts";

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Echoes on `/live`; every other path is 404. */
function echoing(attached: Attached): Listener {
  return (req, res) => {
    if (!req.url!.startsWith("/live")) {
      res.statusCode = 404;
      res.end("no such route\n");
      return;
    }
    withChannel(attached.request(req, res), (channel) => {
      channel.onMessage((message) => channel.send(`${channel.transport} ${message}`));
      if (!channel.isWebSocket) channel.send("hello", false);
    });
  };
}

describe("an upgrade of ours", () => {
  it("becomes a request of the server: one route answers WebSockets and event streams", async (t) => {
    const site = await attaching(t, echoing, { upgrades: "/live" });
    const socket = await WsClient.open(t, site.target, { path: "/live" });
    socket.send("hi");
    assert.equal(await socket.message(), "websocket hi");
    const events = await site.connect();
    events.write(request("GET /live\r\nAccept: text/event-stream"));
    assert.deepEqual((await events.head()).headers.get("content-type"), ["text/event-stream"]);
    assert.match(String(await events.chunk()), /data: hello/);
    assert.deepEqual(site.attached.stats().channels, { websocket: 1, sse: 1, stream: 0, poll: 0 });
  });

  it("passes through the middleware before its route, which may refuse it", async (t) => {
    const site = await attaching(
      t,
      (attached) => (req, res) => {
        if (req.headers.authorization === undefined) {
          res.writeHead(401, { "WWW-Authenticate": "Basic" }).end("who are you?\n");
          return;
        }
        echoing(attached)(req, res);
      },
      { upgrades: "/live" },
    );
    const refused = await site.connect();
    refused.write(upgradeRequest("/live"));
    const response = await refused.response();
    assert.deepEqual(
      [response.status, response.text, response.headers.get("connection"), response.headers.get("www-authenticate")],
      [401, "who are you?\n", ["close"], ["Basic"]],
    );
    await refused.ended();
    const client = await WsClient.open(t, site.target, { path: "/live", fields: ["Authorization: Basic YTpi"] });
    client.send("hi");
    assert.equal(await client.message(), "websocket hi");
  });

  it("keeps the headers that middleware has set in its 101, and none of them twice", async (t) => {
    const site = await attaching(t, (attached) => (req, res) => {
      res.setHeader("X-Request-Id", "7");
      res.setHeader("Set-Cookie", ["a=1", "b=2"]);
      res.setHeader("Content-Type", "text/html");
      withChannel(attached.request(req, res), () => {}, { headers: { "X-Request-Id": "8", "Set-Cookie": "c=3" } });
    });
    const client = await site.connect();
    client.write(upgradeRequest("/"));
    const { status, headers } = await client.head();
    assert.equal(status, 101);
    assert.deepEqual(headers.get("x-request-id"), ["8"]);
    assert.deepEqual(headers.get("set-cookie"), ["a=1", "b=2", "c=3"]);
    assert.equal(headers.has("content-type"), false);
    assert.deepEqual(headers.get("upgrade"), ["websocket"]);
  });

  it("has the fields of the handshake once in its 101, whatever middleware has set of them", async (t) => {
    const site = await attaching(t, (attached) => (req, res) => {
      res.setHeader("Connection", "keep-alive");
      res.setHeader("Upgrade", "h2c");
      res.setHeader("Trailer", "Expires");
      res.setHeader("Sec-WebSocket-Protocol", "x");
      withChannel(attached.request(req, res), () => {});
    });
    const client = await site.connect();
    client.write(upgradeRequest("/"));
    const { headers } = await client.head();
    assert.deepEqual([headers.get("connection"), headers.get("upgrade")], [["Upgrade"], ["websocket"]]);
    assert.deepEqual([headers.has("trailer"), headers.has("sec-websocket-protocol")], [false, false]);
  });

  it("may be answered by a stream that waits for its client", async (t) => {
    const site = await attaching(t, () => (_, res) => {
      Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(65_536))).pipe(res);
    });
    const client = await site.connect();
    client.write(upgradeRequest("/"));
    assert.equal((await client.response()).body.length, 6_553_600);
  });

  it("may come on a connection that is no socket", async (t) => {
    const site = await attaching(t, echoing);
    const received: Buffer[] = [];
    const connection = new Duplex({
      read() {},
      write(bytes, _, done) {
        received.push(bytes);
        done();
      },
    });
    site.http.emit("connection", connection);
    connection.push(upgradeRequest("/live"));
    await until(() => site.attached.stats().channels.websocket === 1, "it is open");
    connection.push(textFrame("hi"));
    await until(() => Buffer.concat(received).toString().endsWith("websocket hi"), "the answer has come");
    connection.destroy();
    await until(() => site.attached.stats().channels.websocket === 0, "it has closed");
  });

  it("brings its route a request of the server's own class, and a plain response", async (t) => {
    class OwnRequest extends IncomingMessage {}
    class OwnResponse extends ServerResponse {}
    const seen: [boolean, boolean][] = [];
    const http = createServer({ IncomingMessage: OwnRequest, ServerResponse: OwnResponse });
    const toListener = (attached: Attached) => (req: IncomingMessage, res: ServerResponse) => {
      seen.push([req instanceof OwnRequest, res instanceof OwnResponse]);
      echoing(attached)(req, res);
    };
    const site = await attaching(t, toListener, {}, http as Server);
    await site.request("GET /other");
    const socket = await WsClient.open(t, site.target, { path: "/live" });
    socket.send("hi");
    assert.equal(await socket.message(), "websocket hi");
    assert.deepEqual(seen, [
      [true, true],
      [true, false],
    ]);
  });

  it("delivers the messages that came while its route was still asking", async (t) => {
    const gate = deferred();
    const site = await attaching(t, (attached) => async (req, res) => {
      await gate.promise;
      echoing(attached)(req, res);
    });
    const client = await site.connect();
    client.write(Buffer.concat([Buffer.from(upgradeRequest("/live")), textFrame("with the request")]));
    await new Promise(setImmediate);
    client.write(textFrame("later"));
    await until(() => site.attached.stats().connections === 1, "the upgrade waits");
    gate.resolve();
    assert.equal((await client.head()).status, 101);
    const all = "\x81\x1awebsocket with the request\x81\x0fwebsocket later";
    assert.equal((await client.take(all.length)).toString("latin1"), all);
  });

  it("is over when its client leaves while its route was still asking", async (t) => {
    const gate = deferred();
    const opened: boolean[] = [];
    const site = await attaching(t, (attached) => async (req, res) => {
      await gate.promise;
      withChannel(attached.request(req, res), (channel) => void opened.push(channel.isOpen));
    });
    const client = await site.connect();
    client.write(upgradeRequest("/live"));
    await until(() => site.attached.stats().connections === 1, "the upgrade waits");
    client.end();
    await client.ended();
    await until(() => site.attached.stats().connections === 0, "nothing is open");
    gate.resolve();
    await until(() => site.attached.stats().requests === 1, "the route has asked for the request");
    assert.deepEqual(site.attached.stats().channels, { websocket: 0, sse: 0, stream: 0, poll: 0 });
  });

  it("gets the 404 of the server where it has no such route, and its connection closes", async (t) => {
    const site = await attaching(t, echoing, { upgrades: "/" });
    const client = await site.connect();
    client.write(upgradeRequest("/elsewhere"));
    assert.deepEqual([(await client.response()).text], ["no such route\n"]);
    await client.ended();
  });

  it("gets 500 after headerTimeoutMs where no route answers, which is reported", async (t) => {
    const site = await attaching(t, () => () => {}, { upgrades: "/live", headerTimeoutMs: 1 });
    const client = await site.connect();
    client.write(upgradeRequest("/live"));
    assert.equal((await client.response()).status, 500);
    await client.ended();
    const [report] = site.takeReports();
    assert.ok(report?.error instanceof ChannelError);
    assert.deepEqual([report.error.code, report.source], ["UPGRADE_UNANSWERED", "upgrade"]);
  });

  it("waits for a route that has asked for its request, however long that takes", async (t) => {
    const gate = deferred();
    const site = await attaching(
      t,
      (attached) => async (req, res) => {
        const asked = attached.request(req, res);
        await gate.promise;
        withChannel(asked, (channel) => void channel.send("at last"));
      },
      { headerTimeoutMs: 0 },
    );
    const opening = WsClient.open(t, site.target);
    await until(() => site.attached.stats().requests === 1, "the route has its request");
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assert.equal(site.attached.stats().connections, 1);
    gate.resolve();
    const client = await opening;
    assert.equal(await client.message(), "at last");
    assert.equal(site.attached.stats().connections, 1);
  });

  it("is answered by an ordinary response of its handler", async (t) => {
    const site = await attaching(t, (attached) => attached.listener(() => ({ status: 403, body: "not you" })));
    const client = await site.connect();
    client.write(upgradeRequest("/"));
    const response = await client.response();
    assert.deepEqual([response.status, response.text], [403, "not you"]);
    await client.ended();
  });
});

describe("an upgrade that is not ours", () => {
  it("is left to the listener that it is meant for", async (t) => {
    const site = await attaching(t, echoing, { upgrades: "/live" });
    const other = new WebSocketServer({ noServer: true });
    t.after(() => other.close());
    site.http.on("upgrade", (req, socket, head) => {
      if (!req.url!.startsWith("/graphql")) return;
      other.handleUpgrade(req, socket, head, (ws) => ws.on("message", (message) => ws.send(`theirs ${message}`)));
    });
    const theirs = await WsClient.open(t, site.target, { path: "/graphql" });
    const ours = await WsClient.open(t, site.target, { path: "/live" });
    theirs.send("hi");
    ours.send("hi");
    assert.deepEqual([await theirs.message(), await ours.message()], ["theirs hi", "websocket hi"]);
    assert.equal(site.attached.stats().channels.websocket, 1);
    theirs.close();
    assert.equal((await theirs.closed()).code, 1005);
  });

  for (const [when, delayMs] of [
    ["after", 0],
    ["before", 50],
  ] as const) {
    it(`of ours that another listener ends ${when} its route has answered is reported, and its channel closes`, async (t) => {
      const statuses: string[] = [];
      const site = await attaching(
        t,
        (attached) => async (req, res) => {
          const taken = attached.request(req, res);
          if (delayMs > 0) await delay(delayMs);
          withChannel(taken, (channel) => channel.onClose(({ by }) => statuses.push(by)));
        },
        { upgrades: "/live" },
      );
      // As Next does for a path that one of its pages matches.
      site.http.on("upgrade", (_req, socket) => setImmediate(() => socket.end()));
      const client = await site.connect();
      client.write(upgradeRequest("/live"));
      await client.takeRest();
      client.end();
      const reports: Report[] = [];
      await until(() => reports.push(...site.takeReports()) > 0, "the report");
      assert.deepEqual(
        reports.map(({ error, source }) => [(error as ChannelError).code, source]),
        [["UPGRADE_TAKEN", "upgrade"]],
      );
      if (delayMs === 0) assert.deepEqual(statuses, ["network"]);
    });
  }

  it("of ours is refused by a server of the ws package with its option server, which is reported", async (t) => {
    const site = await attaching(t, echoing, { upgrades: "/live" });
    const graphql = new WebSocketServer({ server: site.http, path: "/graphql" });
    t.after(() => graphql.close());
    const client = await site.connect();
    client.write(upgradeRequest("/live"));
    assert.match(String(await client.takeRest()), /^HTTP\/1\.1 400 Bad Request\r\n/);
    const reports: Report[] = [];
    await until(() => reports.push(...site.takeReports()) > 0, "the report");
    assert.deepEqual(
      reports.map(({ error }) => (error as ChannelError).code),
      ["UPGRADE_TAKEN"],
    );
  });

  it("of ours whose client leaves, or whose channel closes, is no such mistake", async (t) => {
    const site = await attaching(t, echoing, { upgrades: "/live" });
    const leaving = await site.connect();
    leaving.write(upgradeRequest("/live"));
    await leaving.head();
    leaving.end();
    await leaving.ended();
    const closing = await WsClient.open(t, site.target, { path: "/live" });
    closing.close();
    await closing.closed();
    await until(() => site.attached.stats().connections === 0, "both are over");
    assert.deepEqual(site.takeReports(), []);
  });

  it("is left to a server of the ws package with a path, beside ours", async (t) => {
    const site = await attaching(t, echoing, { upgrades: ["/live", "/other"] });
    // With its `server` option it answers 400 to every other path, so it is given the server only through the event.
    const graphql = new WebSocketServer({ noServer: true, path: "/graphql" });
    t.after(() => graphql.close());
    site.http.on("upgrade", (req, socket, head) => {
      if (graphql.shouldHandle(req)) graphql.handleUpgrade(req, socket, head, (ws) => ws.send("ack"));
    });
    const theirs = await WsClient.open(t, site.target, { path: "/graphql" });
    assert.equal(await theirs.message(), "ack");
    const ours = await WsClient.open(t, site.target, { path: "/live/room?a=b" });
    ours.send("x");
    assert.equal(await ours.message(), "websocket x");
  });

  it("is an ordinary request where nobody else listens for upgrades, as without us", async (t) => {
    const site = await attaching(t, echoing, { upgrades: "/live" });
    const client = await site.connect();
    client.write(upgradeRequest("/elsewhere"));
    const response = await client.response();
    assert.deepEqual([response.status, response.text], [404, "no such route\n"]);
  });

  it("is refused by a route that opens a channel for it, and the route goes on", async (t) => {
    const site = await attaching(t, echoing, { upgrades: [] });
    const client = await site.connect();
    client.write(upgradeRequest("/live"));
    const { status, text } = await client.response();
    assert.deepEqual([status, text], [400, "malformed WebSocket handshake: the path is not in upgrades of attach\n"]);
    await client.ended();
    const events = await site.connect();
    events.write(request("GET /live\r\nAccept: text/event-stream"));
    assert.equal((await events.head()).status, 200);
  });

  it("is told from one that begins with the same letters", async (t) => {
    const site = await attaching(t, echoing, { upgrades: "/live/" });
    const client = await site.connect();
    client.write(upgradeRequest("/lively"));
    assert.equal((await client.response()).status, 400);
    for (const path of ["/live", "/live/a", "/live?a=/b"]) await WsClient.open(t, site.target, { path });
  });

  it("is told by the path of its target in absolute form, too", async (t) => {
    const site = await attaching(t, (attached) => attached.listener((asked) => withChannel(asked, () => {})), {
      upgrades: "/live",
    });
    for (const path of ["http://localhost/live", "HTTP://localhost/live/a?b"])
      await WsClient.open(t, site.target, { path });
    const client = await site.connect();
    client.write(upgradeRequest("http://live/lively"));
    assert.equal((await client.response()).status, 400);
  });
});

describe("an upgrade to another protocol than WebSocket", () => {
  const H2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA";

  it("is ignored: the request is answered, and the next one on its connection as well", async (t) => {
    const site = await attaching(t, (attached) => attached.listener((r) => r.path));
    const client = await site.connect();
    for (const path of ["/a", "/b"]) {
      client.write(request(`GET ${path} HTTP/1.1\r\n${H2C}`));
      assert.equal((await client.response()).text, path);
    }
  });

  it("is ignored with a body", async (t) => {
    const site = await attaching(t, (attached) => attached.listener(async (r) => `${r.method} ${await r.text()}`));
    const client = await site.connect();
    client.write(request(`POST /live HTTP/1.1\r\n${H2C}\r\nContent-Length: 4`, "body"));
    assert.equal((await client.response()).text, "POST body");
  });

  it("is ignored with a chunked body, of which a part comes later", async (t) => {
    const site = await attaching(t, () => async (req, res) => {
      let body = "";
      for await (const part of req) body += part;
      res.end(body);
    });
    const client = await site.connect();
    client.write(request(`POST / HTTP/1.1\r\n${H2C}\r\nTransfer-Encoding: chunked`, "3\r\nabc\r\n"));
    await new Promise(setImmediate);
    client.write("2\r\nde\r\n0\r\n\r\n");
    assert.equal((await client.response()).text, "abcde");
  });
});

describe("the option upgrades", () => {
  it("may be a function that gets the request", async (t) => {
    const site = await attaching(t, echoing, { upgrades: (req) => req.headers["x-ours"] === "yes" });
    const client = await WsClient.open(t, site.target, { path: "/live", fields: ["X-Ours: yes"] });
    client.send("hi");
    assert.equal(await client.message(), "websocket hi");
  });

  for (const [what, upgrades, code] of [
    [
      "throws",
      () => {
        throw new Error("of upgrades");
      },
      undefined,
    ],
    ["returns a promise", async () => true, "BAD_OPTION"],
  ] as const) {
    it(`fails closed, with a report, where the function ${what}`, async (t) => {
      const site = await attaching(t, echoing, { upgrades: upgrades as unknown as () => boolean });
      const client = await site.connect();
      client.write(upgradeRequest("/live"));
      assert.equal((await client.response()).status, 500);
      const [report] = site.takeReports();
      assert.equal((report!.error as Partial<ChannelError>).code, code);
      assert.equal(report?.source, "upgrade");
    });
  }
});
