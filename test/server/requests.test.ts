// The request as a handler sees it: design §1.1 `ChannelRequest`, and http-kit's test-ring-spec.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type ChannelRequest, withChannel } from "../../src/index.ts";
import { RawClient } from "../support/raw-client.ts";
import { certificate, noCertificate, request, type Site, serving, socketPath } from "../support/serving.ts";
import { deferred } from "../support/wait.ts";

/** Returns the result of `look` for a request that consists of `text` and `body`. */
async function seen<T>(t: TestContext, text: string, look: (request: ChannelRequest) => T, body = ""): Promise<T> {
  const found = deferred<T>();
  const site = await serving(t, async (asked) => {
    found.resolve(await look(asked));
    return "ok";
  });
  const client = await site.connect();
  client.write(request(text, body));
  assert.equal((await client.response()).status, 200);
  return found.promise;
}

describe("a request", () => {
  it("has the parts of a GET with a query", async (t) => {
    const all = await seen(t, "GET /a%20b/c?x=1&y=%C3%BC HTTP/1.1\r\nX-Custom: Value", (r) => ({
      method: r.method,
      url: r.url,
      path: r.path,
      query: [...r.query],
      headers: [...r.headers],
      httpVersion: r.httpVersion,
      scheme: r.scheme,
      remoteAddress: r.remoteAddress,
      isWebSocket: r.isWebSocket,
      lastEventId: r.lastEventId,
      body: r.body,
    }));
    assert.deepEqual(all, {
      method: "GET",
      url: "/a%20b/c?x=1&y=%C3%BC",
      path: "/a%20b/c",
      query: [
        ["x", "1"],
        ["y", "ü"],
      ],
      headers: [
        ["host", "x"],
        ["x-custom", "Value"],
      ],
      httpVersion: "1.1",
      scheme: "http",
      remoteAddress: "127.0.0.1",
      isWebSocket: false,
      lastEventId: null,
      body: null,
    });
  });

  it("has the parts of a POST of a form", async (t) => {
    const type = "Content-Type: application/x-www-form-urlencoded; charset=utf-8";
    const all = await seen(
      t,
      `POST /form HTTP/1.1\r\n${type}\r\nContent-Length: 11`,
      async (r) => [r.method, r.headers.get("CONTENT-type"), r.headers.get("content-length"), await r.text()],
      "p1=v1&p2=v2",
    );
    assert.deepEqual(all, ["POST", "application/x-www-form-urlencoded; charset=utf-8", "11", "p1=v1&p2=v2"]);
  });

  it("joins the values of a repeated header with commas, those of cookies with semicolons (http-kit #615)", async (t) => {
    const fields = "X-Dup: a\r\nCookie: k1=v1\r\nx-dup: b\r\ncookie: k2=v2";
    const all = await seen(t, `GET / HTTP/1.1\r\n${fields}`, (r) => [
      r.headers.get("X-Dup"),
      r.headers.get("cookie"),
      r.headers.has("x-dup"),
      r.headers.has("x-none"),
      r.headers.get("x-none"),
    ]);
    assert.deepEqual(all, ["a, b", "k1=v1; k2=v2", true, false, null]);
  });

  it("reads field values as one character per byte and without the blanks around them (RFC 9110 §5.5)", async (t) => {
    const value = await seen(t, "GET / HTTP/1.1\r\nX-Latin:  \t caf\xe9 au lait \t", (r) => r.headers.get("x-latin"));
    assert.equal(value, "caf\xe9 au lait");
  });

  for (const [target, path] of [
    ["/", "/"],
    ["/?", "/"],
    ["/a/../b//c", "/a/../b//c"],
    ["http://x.y/hello?q=1", "/hello"],
    ["http://x.y", "/"],
  ] as const) {
    it(`keeps the target ${target} as it was sent, and knows its path`, async (t) => {
      assert.deepEqual(await seen(t, `GET ${target} HTTP/1.1`, (r) => [r.url, r.path]), [target, path]);
    });
  }

  it("takes the target * of OPTIONS (RFC 9112 §3.2.4)", async (t) => {
    assert.deepEqual(await seen(t, "OPTIONS * HTTP/1.1", (r) => [r.method, r.url]), ["OPTIONS", "*"]);
  });

  it("has the requested upgrade and the id of the last event", async (t) => {
    const fields = "Upgrade: h2c, WebSocket\r\nConnection: upgrade\r\nLast-Event-ID: 42";
    assert.deepEqual(await seen(t, `GET / HTTP/1.1\r\n${fields}`, (r) => [r.isWebSocket, r.lastEventId]), [true, "42"]);
  });

  it("may be HTTP/1.0, without a Host", async (t) => {
    const site = await serving(t, (r) => r.httpVersion);
    const client = await site.connect();
    client.write("GET / HTTP/1.0\r\n\r\n");
    assert.equal((await client.response()).text, "1.0");
    await client.ended();
  });

  it("ignores an empty line before its request line (RFC 9112 §2.2)", async (t) => {
    const site = await serving(t, (r) => r.path);
    const client = await site.connect();
    client.write(`\r\n${request("GET /a")}\r\n${request("GET /b")}`);
    assert.equal((await client.response()).text, "/a");
    assert.equal((await client.response()).text, "/b");
  });

  it("ignores X-Forwarded-For of an untrusted peer", async (t) => {
    const address = await seen(t, "GET / HTTP/1.1\r\nX-Forwarded-For: 9.9.9.9", (r) => r.remoteAddress);
    assert.equal(address, "127.0.0.1");
  });

  it("has an IPv6 address where it came by IPv6", async (t) => {
    let site: Site;
    try {
      site = await serving(t, (r) => String(r.remoteAddress), { host: "::1" });
    } catch (error) {
      return t.skip(`no IPv6 here: ${(error as Error).message}`);
    }
    assert.match(site.server.url, /^http:\/\/\[::1\]:\d+$/);
    const client = await RawClient.connect(t, site.target);
    client.write(request("GET / HTTP/1.1\r\nHost: [::1]:80"));
    assert.equal((await client.response()).text, "::1");
  });

  it("has no remote address on a Unix socket", async (t) => {
    const path = socketPath(t);
    const site = await serving(t, (r) => `${r.scheme} ${r.remoteAddress}`, { path });
    assert.equal(site.server.url, `unix:${path}`);
    assert.equal(site.server.port, 0);
    assert.equal((await site.request("GET /")).text, "http undefined");
  });

  it("came by https where the server has a certificate", { skip: noCertificate }, async (t) => {
    const site = await serving(t, (r) => r.scheme, { tls: certificate() });
    assert.match(site.server.url, /^https:/);
    assert.equal((await site.request("GET /")).text, "https");
  });

  it("becomes one Fetch Request, the same each time", async (t) => {
    const all = await seen(
      t,
      "POST /a?b=c HTTP/1.1\r\nHost: example.org:8080\r\nX-A: 1\r\nContent-Length: 7",
      async (r) => {
        const fetched = r.toRequest();
        assert.equal(r.toRequest(), fetched);
        return [fetched.method, fetched.url, fetched.headers.get("x-a"), await fetched.json()];
      },
      '{"n":1}',
    );
    assert.deepEqual(all, ["POST", "http://example.org:8080/a?b=c", "1", { n: 1 }]);
  });

  it("aborts its signal when the client goes away before the answer, with the reason", async (t) => {
    const aborted = deferred<unknown>();
    const arrived = deferred();
    const site = await serving(t, (r) => {
      r.signal.addEventListener("abort", () => aborted.resolve(r.signal.reason));
      arrived.resolve();
      return new Promise(() => {});
    });
    const client = await site.connect();
    client.write(request("GET /"));
    await arrived.promise;
    client.destroy();
    assert.ok((await aborted.promise) instanceof Error);
  });

  it("does not abort its signal after its answer", async (t) => {
    const requests: ChannelRequest[] = [];
    const site = await serving(t, (r) => {
      requests.push(r);
      assert.equal(r.signal.aborted, false);
      return "ok";
    });
    await site.request("GET /");
    await site.server.stop();
    assert.equal(requests[0]!.signal.aborted, false);
  });
});

describe("list fields on several lines: RFC 9110 §5.3", () => {
  it("counts every line of Accept and of Upgrade", async (t) => {
    const accepts = "GET / HTTP/1.1\r\nAccept: application/json\r\nAccept: text/event-stream";
    assert.equal(await seen(t, accepts, (r) => r.acceptsEventStream), true);
    const none = "GET / HTTP/1.1\r\nAccept: text/*\r\nAccept: text/event-stream;q=0";
    assert.equal(await seen(t, none, (r) => r.acceptsEventStream), false);
    const upgrade = "GET / HTTP/1.1\r\nUpgrade: h2c\r\nUpgrade: websocket";
    assert.equal(await seen(t, upgrade, (r) => r.isWebSocket), true);
  });

  it("opens a WebSocket whose handshake has its lists on several lines", async (t) => {
    const site = await serving(t, (r) => withChannel(r, () => {}, { protocols: ["chat"] }));
    const client = await site.connect();
    client.write(
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nUpgrade: websocket\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Protocol: other,\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
    );
    const head = await client.head();
    assert.deepEqual([head.status, head.headers.get("sec-websocket-protocol")], [101, ["chat"]]);
  });
});

describe("request.lastEventId", () => {
  const asSent = (bytes: string): string => `GET / HTTP/1.1\r\nLast-Event-ID: ${bytes}`;

  it("is read as UTF-8, as browsers send it (WHATWG HTML §9.2.4)", async (t) => {
    const sent = Buffer.from("é-漢-1").toString("latin1");
    const client = await (await serving(t, (r) => r.lastEventId ?? "none")).connect();
    client.write(Buffer.from(request(asSent(sent)), "latin1"));
    assert.equal((await client.response()).text, "é-漢-1");
  });

  it("is UTF-8 as a whole or not at all: overlong forms, surrogates and a cut character stay latin1", async (t) => {
    const client = await (await serving(t, (r) => r.lastEventId ?? "none")).connect();
    for (const bytes of ["\xc0\xaf", "\xed\xa0\x80", "\xc3\xa9\xff", "\xf0\x9f\x98", "\xf4\x90\x80\x80"]) {
      client.write(Buffer.from(request(asSent(bytes)), "latin1"));
      assert.equal((await client.response()).text, bytes);
    }
    for (const id of ["😀", "\ufeffx", "\u{10ffff}"]) {
      client.write(Buffer.from(request(asSent(Buffer.from(id).toString("latin1"))), "latin1"));
      assert.equal((await client.response()).text, id);
    }
  });

  it("is refused with 400 if it has a NUL", async (t) => {
    const site = await serving(t, (r) => r.lastEventId ?? "none");
    assert.equal((await site.request(asSent("a\0b"))).status, 400);
  });

  it("is left as latin1 where it is no UTF-8", async (t) => {
    const client = await (await serving(t, (r) => r.lastEventId ?? "none")).connect();
    client.write(Buffer.from(request(asSent("caf\xe9")), "latin1"));
    assert.equal((await client.response()).text, "café");
  });
});
