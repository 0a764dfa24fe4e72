// HTTP/2 beside HTTP/1.1 on one port: how a client gets it, and that a server behaves the same on both.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { connect as connectTcp, createServer } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { type Handler, type ServeOptions, serve, withChannel } from "../../src/index.ts";
import { listenTo } from "../support/diagnostics.ts";
import { Http2Client } from "../support/http2-client.ts";
import { FRAME, FrameClient, frame, headers, uint32 } from "../support/http2-frames.ts";
import { needs } from "../support/needs.ts";
import { lacks } from "../support/runtime.ts";
import { certificate, noCertificate, type Site, serving } from "../support/serving.ts";
import { deferred, until, within } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

const run = promisify(execFile);
const POST = [":method", "POST", ":scheme", "https", ":authority", "localhost", ":path", "/"];

function start(t: TestContext, handler: Handler, options: ServeOptions = {}): Promise<Site> {
  return serving(t, handler, { tls: certificate(), http2: true, ...options });
}

/** A server and a client of HTTP/2 for it. */
async function talk(
  t: TestContext,
  handler: Handler,
  options?: ServeOptions,
): Promise<{ site: Site; client: Http2Client }> {
  const site = await start(t, handler, options);
  return { site, client: await Http2Client.connect(t, site.target) };
}

describe("The protocol of a connection", { skip: noCertificate }, () => {
  for (const [offer, chosen] of [
    [["h2", "http/1.1"], "h2"],
    [["http/1.1", "h2"], "h2"],
    [["http/1.1"], "http/1.1"],
    [undefined, false],
  ] as const) {
    it(`is ${chosen || "HTTP/1.1"} for a client that offers ${offer ?? "nothing"}`, async (t) => {
      const site = await start(t, () => "hello");
      const socket = connectTls({
        port: site.server.port,
        host: "127.0.0.1",
        rejectUnauthorized: false,
        ...(offer === undefined ? {} : { ALPNProtocols: [...offer] }),
      });
      t.after(() => socket.destroy());
      await new Promise((resolve) => socket.once("secureConnect", resolve));
      assert.equal(socket.alpnProtocol, chosen);
    });
  }

  it("is HTTP/1.1 for WebSockets and requests of HTTP/1.1, on our own engine", async (t) => {
    const site = await start(t, (request) =>
      request.isWebSocket ? withChannel(request, (channel) => channel.send("hello")) : request.httpVersion,
    );
    assert.equal((await site.request("GET /")).text, "1.1");
    assert.equal(await (await WsClient.open(t, site.target)).message(), "hello");
  });

  it("is never HTTP/2 without the option", async (t) => {
    const site = await start(t, () => "hello", { http2: false });
    const socket = connectTls({
      port: site.server.port,
      host: "127.0.0.1",
      ALPNProtocols: ["h2"],
      rejectUnauthorized: false,
    });
    t.after(() => socket.destroy());
    const failed = await new Promise((resolve) => {
      socket.once("secureConnect", () => resolve(false));
      socket.once("error", () => resolve(true));
    });
    assert.equal(failed, true);
  });

  it("costs nothing where HTTP/2 is not asked for: it is not loaded", {
    skip: lacks("a list of the runtime's own modules that are loaded"),
  }, async () => {
    const entry = new URL("../../src/index.js", import.meta.url).href;
    const program = `
      const { serve } = await import(${JSON.stringify(entry)});
      const server = await serve(() => "hello", { port: 0, host: "127.0.0.1" });
      await server.stop();
      console.log(process.moduleLoadList.filter((name) => /internal.http2.core/.test(name)).length);`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program]);
    assert.equal(stdout.trim(), "0");
  });
});

describe("A server with HTTP/2 refuses", { skip: noCertificate }, () => {
  const refused: readonly [why: string, options: ServeOptions, text: RegExp][] = [
    ["to start without tls", { http2: true }, /http2 wants tls/],
    [
      "protocols of tls without h2",
      { http2: true, tls: { ...certificateOrNone(), ALPNProtocols: ["http/1.1"] } },
      /http2 wants "h2" in tls\.ALPNProtocols/,
    ],
    [
      "a wrong type",
      { http2: "yes" as unknown as boolean, tls: certificateOrNone() },
      /http2 is "yes"; it must be true, false/,
    ],
    ["an unknown limit", { http2: { maxStreams: 3 } as object, tls: certificateOrNone() }, /maxStreams/],
    [
      "no streams at all",
      { http2: { maxConcurrentStreams: 0 }, tls: certificateOrNone() },
      /http2\.maxConcurrentStreams is 0/,
    ],
    [
      "a negative number of resets",
      { http2: { maxResetsPerSecond: -1 }, tls: certificateOrNone() },
      /http2\.maxResetsPerSecond is -1/,
    ],
    [
      "a session without memory",
      { http2: { maxSessionBytes: 1000 }, tls: certificateOrNone() },
      /http2\.maxSessionBytes is 1000/,
    ],
  ];
  for (const [why, options, text] of refused) {
    it(`${why}`, async () => {
      await assert.rejects(
        serve(() => "hello", { port: 0, host: "127.0.0.1", ...options }),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, "BAD_OPTION");
          assert.match(error.message, text);
          return true;
        },
      );
    });
  }
});

function certificateOrNone(): { readonly cert: string; readonly key: string } {
  return noCertificate ? { cert: "", key: "" } : certificate();
}

describe("A request over HTTP/2", { skip: noCertificate }, () => {
  it("shows its facts like one over HTTP/1.1", async (t) => {
    const { client } = await talk(
      t,
      ({ method, url, path, query, headers: fields, httpVersion, scheme, host, remoteAddress }) => ({
        body: JSON.stringify([
          method,
          url,
          path,
          query.get("a"),
          fields.get("host"),
          fields.get("X-One"),
          httpVersion,
          scheme,
          host,
          remoteAddress,
        ]),
      }),
    );
    const { text } = await client.request({ ":path": "/p%20q?a=1", ":authority": "a.example:8443", "x-one": "1" });
    assert.deepEqual(JSON.parse(text), [
      ...["GET", "/p%20q?a=1", "/p%20q", "1", "a.example:8443", "1", "2.0", "https", "a.example:8443", "127.0.0.1"],
    ]);
  });

  it("reaches a Fetch handler", async (t) => {
    const site = await start(t, () => "");
    await site.server.stop();
    const server = await serve({
      fetch: async (request: Request) =>
        new Response(`${request.method} ${request.url} ${await request.text()}`, { status: 201 }),
      ...{ port: 0, host: "127.0.0.1", tls: certificate(), http2: true },
    });
    t.after(() => server.stop({ graceMs: 0 }));
    const client = await Http2Client.connect(t, { port: server.port });
    const answer = await client.request({ ":method": "POST", ":path": "/x", ":authority": "a.example" }, "body");
    assert.deepEqual([answer.status, answer.text], [201, "POST https://a.example/x body"]);
  });

  it("is asked for its body when the handler reads it, where its client expects that (RFC 9110 §10.1.1)", async (t) => {
    const { client } = await talk(t, async (request) => (request.path === "/no" ? "no" : request.text()));
    const stream = client.session.request({ ":method": "POST", expect: "100-continue" });
    let body = "";
    stream.on("data", (bytes) => {
      body += bytes;
    });
    const asked = new Promise((resolve) => stream.once("continue", resolve));
    await asked;
    stream.end("the body");
    await new Promise((resolve) => stream.once("close", resolve));
    assert.equal(body, "the body");
    const answer = await client.request({ ":method": "POST", ":path": "/no", expect: "100-continue" });
    assert.equal(answer.text, "no");
  });

  it("has its body whole, however long", async (t) => {
    const { client } = await talk(t, async (request) => ({ body: await request.bytes() }));
    const body = Buffer.alloc(3_000_000, "0123456789");
    const { text, status } = await client.request({ ":method": "POST" }, body);
    assert.equal(status, 200);
    assert.equal(text, body.toString());
  });

  it("rejects its body with CLIENT_GONE when its client resets it, and aborts its signal", async (t) => {
    const failed = deferred<unknown>();
    const aborted = deferred<unknown>();
    const site = await start(t, async (request) => {
      request.signal.addEventListener("abort", () => aborted.resolve(request.signal.reason));
      await request.bytes().catch(failed.resolve);
      return "late";
    });
    const client = await FrameClient.connect(t, site.target);
    client.write(headers(1, POST, false), frame(FRAME.DATA, 0, 1, Buffer.from("half")));
    await until(() => site.server.stats().requests === 1, "the request is there");
    client.write(frame(FRAME.RST_STREAM, 0, 1, uint32(8)));
    assert.equal(((await within(failed.promise, () => "the end of the body")) as { code: string }).code, "CLIENT_GONE");
    assert.equal(((await within(aborted.promise, () => "the abort")) as { code: string }).code, "CLIENT_GONE");
  });
});

describe("A response over HTTP/2", { skip: noCertificate }, () => {
  it("has no field of the connection, whatever the handler sets (RFC 9113 §8.2.2)", async (t) => {
    const { client } = await talk(t, () => ({
      headers: {
        Connection: "close, X-Own",
        "Keep-Alive": "timeout=5",
        "Proxy-Connection": "close",
        Upgrade: "h2c",
        TE: "trailers",
        "X-Own": "kept",
      },
      body: "hello",
    }));
    const { headers: fields, text } = await client.request();
    assert.equal(text, "hello");
    assert.equal(fields.get("x-own")?.[0], "kept");
    for (const name of ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"]) {
      assert.equal(fields.has(name), false, name);
    }
  });

  it("has all lines of Set-Cookie, a date, a length, and the Server field", async (t) => {
    const { client } = await talk(
      t,
      () =>
        new Response("four", {
          headers: [
            ["Set-Cookie", "a=1"],
            ["Set-Cookie", "b=2"],
          ],
        }),
      { serverHeader: "unichannel" },
    );
    const { headers: fields } = await client.request();
    assert.deepEqual(fields.get("set-cookie"), ["a=1", "b=2"]);
    assert.match(fields.get("date")![0]!, /GMT$/);
    assert.deepEqual([fields.get("content-length"), fields.get("server")], [["4"], ["unichannel"]]);
  });

  it("has a field whatever its name is, and is a 500 for one that HTTP forbids", async (t) => {
    const { client, site } = await talk(t, ({ path }) =>
      path === "/bad"
        ? { headers: { "X-Bad": "a\nb" }, body: "x" }
        : {
            headers: [
              ["constructor", "1"],
              ["__proto__", "2"],
              ["X-Two", "1"],
              ["x-two", "2"],
            ] as [string, string][],
            body: "x",
          },
    );
    const { headers: fields } = await client.request();
    assert.deepEqual([fields.get("constructor"), fields.get("__proto__")], [["1"], ["2"]]);
    assert.equal(fields.get("x-two")?.join(", "), "1, 2");
    assert.equal((await client.request({ ":path": "/bad" })).status, 500);
    assert.equal(site.takeReports().length, 1);
  });

  it("has no body for HEAD, 204 and 304, and ends its stream", async (t) => {
    const { client } = await talk(t, ({ path }) =>
      path === "/" ? "hello" : { status: Number(path.slice(1)), body: null },
    );
    const head = await client.request({ ":method": "HEAD" });
    assert.deepEqual([head.status, head.headers.get("content-length"), head.text, head.code], [200, ["5"], "", 0]);
    for (const status of [204, 304]) {
      const answer = await client.request({ ":path": `/${status}` });
      assert.deepEqual([answer.status, answer.text, answer.code], [status, "", 0]);
    }
  });

  it("is a stream for a body in parts, gzip where that is asked for, and cut off where the handler fails", async (t) => {
    const { client, site } = await talk(t, (request) =>
      withChannel(
        request,
        async (channel) => {
          channel.send("one ", false);
          await new Promise((resolve) => setTimeout(resolve, 20));
          if (request.path === "/fails") throw new Error("boom");
          channel.send("two", true);
        },
        { compress: true },
      ),
    );
    const raw = client.open({ "accept-encoding": "gzip" });
    assert.equal((await raw.head()).headers.get("content-encoding")?.[0], "gzip");
    const parts: Buffer[] = [];
    for (let part = await raw.chunk(); part !== undefined; part = await raw.chunk()) parts.push(part);
    assert.equal(gunzipSync(Buffer.concat(parts)).toString(), "one two");
    const failing = client.open({ ":path": "/fails" });
    await assert.rejects(async () => {
      while ((await failing.chunk()) !== undefined);
    }, /reset with code 2/);
    assert.equal(site.takeReports().length, 1);
  });

  it("that is a silent event stream gets comments (pingIntervalMs)", async (t) => {
    const { client } = await talk(t, (request) => withChannel(request, () => {}), { pingIntervalMs: 500 });
    const events = client.open({ accept: "text/event-stream" });
    assert.match((await events.chunk())!.toString(), /^:/);
    assert.match((await events.chunk())!.toString(), /^:/);
  });

  it("to a body that nobody has read ends the request, too (RFC 9113 §8.1)", async (t) => {
    const { client } = await talk(t, async (request) => {
      if (request.path === "/half") await request.body!.getReader().read();
      return "enough";
    });
    for (const path of ["/none", "/half"]) {
      const stream = client.session.request({ ":method": "POST", ":path": path });
      let text = "";
      stream.on("error", () => {});
      stream.on("data", (bytes) => {
        text += bytes;
      });
      stream.write(Buffer.alloc(40_000));
      await new Promise((resolve) => stream.once("close", resolve));
      assert.deepEqual([text, stream.rstCode], ["enough", 0]);
    }
  });
});

describe("A WebSocket over HTTP/2", { skip: noCertificate }, () => {
  it("is what the handler takes for a WebSocket: GET, with its sub-protocol, headers and compression", async (t) => {
    const { client } = await talk(t, (request) => {
      assert.deepEqual([request.isWebSocket, request.method, request.url], [true, "GET", "/live?x=1"]);
      return withChannel(request, (channel) => channel.send("x".repeat(2000)), {
        protocols: ["chat"],
        compress: true,
        headers: { "X-Own": "1" },
      });
    });
    const ws = await client.webSocket({
      ":path": "/live?x=1",
      "sec-websocket-protocol": "other, chat",
      "sec-websocket-extensions": "permessage-deflate",
    });
    const fields = ws.head.headers;
    assert.deepEqual(fields.get("sec-websocket-protocol"), ["chat"]);
    assert.match(fields.get("sec-websocket-extensions")![0]!, /^permessage-deflate/);
    assert.deepEqual(fields.get("x-own"), ["1"]);
    assert.equal(fields.has("sec-websocket-accept") || fields.has("upgrade"), false);
    assert.equal((await ws.raw.take(1))[0]! & 0x40, 0x40, "the message is compressed");
  });

  it("is refused in the words of HTTP: its version, its origin, the `upgrade` check", async (t) => {
    const { client } = await talk(t, (request) => withChannel(request, () => {}), {
      upgrade: ({ path }) => (path === "/private" ? { status: 401, body: "who?" } : undefined),
    });
    const ask = (fields: Record<string, string>) =>
      client.request(
        { ":method": "CONNECT", ":protocol": "websocket", ":path": "/", "sec-websocket-version": "13", ...fields },
        "",
      );
    const version = await ask({ "sec-websocket-version": "12" });
    assert.deepEqual([version.status, version.headers.get("sec-websocket-version")], [426, ["13"]]);
    assert.equal((await ask({ origin: "https://evil.example" })).status, 403);
    const refused = await ask({ ":path": "/private" });
    assert.deepEqual([refused.status, refused.text], [401, "who?"]);
  });

  it("ends with its stream, and leaves the connection to the others", async (t) => {
    const statuses: string[] = [];
    const { client } = await talk(t, (request) =>
      withChannel(request, (channel) => void channel.onClose(({ by, code }) => statuses.push(`${by} ${code}`))),
    );
    const first = await client.webSocket();
    const second = await client.webSocket();
    first.close(1000);
    assert.equal((await first.closed()).code, 1000);
    await first.ended();
    await until(() => statuses.length === 1, "the first is closed");
    second.raw.socket.destroy();
    await until(() => statuses.length === 2, "the second is closed");
    assert.deepEqual(statuses, ["client 1000", "network 1006"]);
    assert.equal((await client.webSocket()).head.status, 200);
  });

  it("is pinged where it is silent, and lost where it does not answer", async (t) => {
    const closed = deferred<number>();
    const { client } = await talk(
      t,
      (request) => withChannel(request, (channel) => void channel.onClose(({ code }) => closed.resolve(code))),
      {
        pingIntervalMs: 500,
        pongTimeoutMs: 500,
      },
    );
    const ws = await client.webSocket();
    assert.equal((await ws.frame()).opcode, 9);
    assert.equal(await closed.promise, 1006);
  });
});

describe("A server with HTTP/2", { skip: noCertificate }, () => {
  it("stops: ends its channels, answers what it is answering, and says GOAWAY", async (t) => {
    const gate = deferred();
    const { client, site } = await talk(t, async (request) => {
      if (request.path === "/slow") {
        await gate.promise;
        return "done";
      }
      return withChannel(request, (channel) => channel.send("hello", false));
    });
    const ws = await client.webSocket({ ":path": "/live" });
    assert.equal(await ws.message(), "hello");
    const events = client.open({ ":path": "/live", accept: "text/event-stream" });
    assert.match((await events.chunk())!.toString(), /hello/);
    const slow = client.request({ ":path": "/slow" });
    await until(() => site.server.stats().requests === 3, "all are being answered");
    const stopped = site.server.stop({ graceMs: 10_000 });
    assert.equal((await ws.closed()).code, 1001);
    ws.close(1001);
    ws.raw.end();
    assert.match((await events.chunk())!.toString(), /^retry: \d+\n\n$/);
    assert.equal(await events.chunk(), undefined);
    gate.resolve();
    assert.equal((await slow).text, "done");
    await stopped;
    await client.closed;
    assert.equal(client.goaway, 0);
    assert.equal(site.server.stats().connections, 0);
  });

  it("drops what is still open after graceMs", async (t) => {
    const { client, site } = await talk(t, () => new Promise<string>(() => {}));
    const stream = client.open();
    await until(() => site.server.stats().requests === 1, "the request is there");
    await site.server.stop({ graceMs: 50 });
    await stream.until(() => stream.isClosed, "the end of the stream");
    assert.equal(site.server.stats().connections, 0);
  });

  it("counts connections, requests and responses, and tells diagnostics of them", async (t) => {
    const heard = listenTo(t, ["unichannel:connection.open", "unichannel:connection.close", "unichannel:request.end"]);
    const { client, site } = await talk(t, () => "hello");
    await client.request();
    await client.request({ "x-long": "Z".repeat(5000) });
    const stats = site.server.stats();
    assert.deepEqual(
      [stats.connections, stats.connectionsOpened, stats.requests, stats.responses["2xx"]],
      [1, 1, 2, 2],
    );
    client.session.destroy();
    await until(() => site.server.stats().connections === 0, "the connection is over");
    assert.deepEqual(heard.names, ["connection.open", "request.end", "request.end", "connection.close"]);
  });

  it("counts bytes above TLS", { skip: lacks("the bytes of a connection of HTTP/2") }, async (t) => {
    const { client, site } = await talk(t, () => "hello");
    await client.request();
    await client.request({ "x-long": "Z".repeat(5000) });
    const stats = site.server.stats();
    assert.ok(stats.bytesReceived > 3000 && stats.bytesReceived < 7000, `${stats.bytesReceived} bytes received`);
    assert.ok(stats.bytesSent > 50 && stats.bytesSent < 1000, `${stats.bytesSent} bytes sent`);
    client.session.destroy();
    await until(() => site.server.stats().connections === 0, "the connection is over");
    assert.ok(site.server.stats().bytesReceived >= stats.bytesReceived);
  });

  it("takes a new certificate, and goes on to speak HTTP/2", async (t) => {
    const { client, site } = await talk(t, ({ httpVersion }) => httpVersion);
    site.server.setTls(certificate("other.example"));
    const other = await Http2Client.connect(t, site.target);
    assert.equal((await other.request()).text, "2.0");
    assert.equal((await client.request()).text, "2.0");
    const socket = other.session.socket as TLSSocket;
    assert.equal(socket.getPeerCertificate().subject.CN, "other.example");
  });

  it("limits connections, all together and of one address", async (t) => {
    for (const limit of [{ maxConnections: 1 }, { maxConnectionsPerAddress: 1 }]) {
      const { site, client } = await talk(t, () => "hello", limit);
      await assert.rejects(FrameClient.connect(t, site.target));
      assert.equal((await client.request()).text, "hello");
      assert.equal(site.server.stats().connectionsRefused, 1);
    }
  });

  it("answers for allowedHosts alone, and lets pages of allowedOrigins read", async (t) => {
    const { client } = await talk(t, () => "hello", {
      allowedHosts: ["a.example"],
      allowedOrigins: ["https://page.example"],
    });
    assert.equal((await client.request({ ":authority": "b.example" })).status, 421);
    const page = { ":authority": "a.example", origin: "https://page.example" };
    const answer = await client.request(page);
    assert.deepEqual(answer.headers.get("access-control-allow-origin"), ["https://page.example"]);
    const preflight = await client.request({ ...page, ":method": "OPTIONS", "access-control-request-method": "POST" });
    assert.equal(preflight.status, 204);
    const tooLarge = await client.open({ ...page, ":method": "POST", "content-length": "99999999" }, false).head();
    assert.deepEqual(
      [tooLarge.status, tooLarge.headers.get("access-control-allow-origin")],
      [413, ["https://page.example"]],
    );
  });

  it("believes its trusted proxies, by their fields and by their PROXY header", async (t) => {
    const trusted = { trustedProxies: ["127.0.0.1"] };
    const { client } = await talk(t, ({ remoteAddress }) => `${remoteAddress}`, trusted);
    assert.equal((await client.request({ "x-forwarded-for": "203.0.113.9" })).text, "203.0.113.9");
    const site = await start(t, ({ remoteAddress }) => `${remoteAddress}`, { ...trusted, proxyProtocol: "required" });
    // A proxy that puts the header in front of each connection.
    const proxy = createServer((socket) => {
      const upstream = connectTcp(site.server.port);
      upstream.write("PROXY TCP4 203.0.113.7 127.0.0.1 5000 443\r\n");
      socket.pipe(upstream).pipe(socket);
      for (const one of [socket, upstream]) one.on("error", () => {});
      socket.on("close", () => upstream.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    t.after(() => proxy.close());
    const address = proxy.address();
    assert.ok(typeof address === "object" && address !== null);
    const behind = await Http2Client.connect(t, { port: address.port });
    assert.equal((await behind.request()).text, "203.0.113.7");
    behind.session.destroy();
  });

  it("reports nothing where a client resets while its answer is made, whenever that is", async (t) => {
    let answered = 0;
    const site = await start(t, async (request) => {
      const step = answered++ % 40;
      for (let i = 0; i < step % 10; i++) await Promise.resolve();
      if (step >= 10 && step < 20) await new Promise<void>((resolve) => process.nextTick(resolve));
      if (step >= 20 && step < 30) await new Promise<void>((resolve) => setImmediate(resolve));
      if (step >= 30) await request.text().catch(() => "");
      if (request.path === "/live") return withChannel(request, (channel) => channel.send("hello", step % 2 === 0));
      return step % 2 === 0 ? "whole" : { body: ["in ", "parts"] };
    });
    const live = [...POST.slice(0, 6), ":path", "/live", "accept", "text/event-stream"];
    const ws = [":method", "CONNECT", ...live.slice(2, 8), ":protocol", "websocket", "sec-websocket-version", "13"];
    for (const isSplit of [false, true]) {
      const client = await FrameClient.connect(t, site.target);
      for (const [i, head] of Array.from({ length: 120 }, (_, n) => [POST, live, ws][n % 3]!).entries()) {
        const id = 2 * i + 1;
        const bytes = [headers(id, head, false), frame(FRAME.RST_STREAM, 0, id, uint32(8))];
        if (isSplit) for (const part of bytes) client.write(part);
        else client.write(...bytes);
        if (i % 7 === 0) await client.handled();
      }
      await client.handled();
      assert.equal(client.goawayCode, undefined);
    }
    await until(
      () => Object.values(site.server.stats().channels).every((open) => open === 0),
      "all channels are closed",
    );
    assert.deepEqual(site.takeMessages(), []);
  });

  it("keeps its connections apart: an exception of a handler costs its own request", async (t) => {
    const { client, site } = await talk(t, ({ path }) => {
      if (path === "/boom") throw new Error("boom");
      return "fine";
    });
    const [bad, good] = await Promise.all([client.request({ ":path": "/boom" }), client.request()]);
    assert.deepEqual([bad.status, good.text], [500, "fine"]);
    assert.deepEqual(site.takeMessages(), ["handler: boom"]);
  });
});

describe("Programs that speak HTTP/2", { skip: noCertificate }, () => {
  it("curl gets a page, posts one, and reads an event stream", { skip: needs("curl") }, async (t) => {
    const site = await start(t, async (request) => {
      if (request.method === "POST") return `${request.httpVersion} ${(await request.bytes()).length}`;
      if (request.path === "/page") return request.httpVersion;
      return withChannel(request, (channel) => {
        channel.send("one");
        channel.close();
      });
    });
    const url = `https://127.0.0.1:${site.server.port}`;
    const curl = async (...args: string[]): Promise<string> =>
      (await run("curl", ["--http2", "-ksS", "--max-time", "15", ...args])).stdout;
    assert.equal(await curl("-w", " %{http_version} %{response_code}", `${url}/page`), "2.0 2 200");
    assert.equal(await curl("--data-binary", "x".repeat(100_000), `${url}/post`), "2.0 100000");
    assert.equal(await curl("-H", "Accept: text/event-stream", `${url}/live`), "data: one\n\n");
    assert.equal(await curl("--http1.1", `${url}/page`), "1.1");
  });

  it("h2load gets an answer to each of its requests", { skip: needs("h2load") }, async (t) => {
    const site = await start(t, () => "hello");
    const { stdout } = await run("h2load", [
      "-n",
      "2000",
      "-c",
      "4",
      "-m",
      "50",
      `https://127.0.0.1:${site.server.port}/`,
    ]);
    assert.match(stdout, /2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout/);
    await until(() => site.server.stats().connections === 0, "all connections are over");
    assert.equal(site.server.stats().responses["2xx"], 2000);
  });
});
