// Fetch in and out: `serve({ fetch })` and handlers that return a Response. Design §1.1.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import zlib, { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { type FetchHandler, type Server, serve, withChannel } from "../../src/index.ts";
import { RawClient } from "../support/raw-client.ts";
import { lacks } from "../support/runtime.ts";
import { request, serving } from "../support/serving.ts";
import { deferred } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

describe("a handler that returns a Fetch Response", () => {
  it("answers with its status, headers and text", async (t) => {
    const site = await serving(t, () => new Response("created", { status: 201, headers: { "X-A": "1" } }));
    const response = await site.request("GET /");
    assert.deepEqual([response.status, response.text, response.headers.get("x-a")], [201, "created", ["1"]]);
    assert.deepEqual(response.headers.get("content-type"), ["text/plain;charset=UTF-8"]);
  });

  it("answers with one field line for each cookie", async (t) => {
    const site = await serving(t, () => {
      const response = new Response(null);
      response.headers.append("Set-Cookie", "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT");
      response.headers.append("Set-Cookie", "b=2");
      return response;
    });
    const { headers } = await site.request("GET /");
    assert.deepEqual(headers.get("set-cookie"), ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"]);
  });

  it("streams the body of a stream as it comes", async (t) => {
    const gate = deferred();
    const site = await serving(t, () => {
      const body = new ReadableStream({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode("first "));
          await gate.promise;
          controller.enqueue(new TextEncoder().encode("second"));
          controller.close();
        },
      });
      return new Response(body);
    });
    const client = await site.connect();
    client.write(request("GET /"));
    await client.head();
    assert.equal((await client.chunk())?.toString(), "first ");
    gate.resolve();
    assert.equal((await client.chunk())?.toString(), "second");
    assert.equal(await client.chunk(), undefined);
  });

  for (const [what, make] of [
    ["null", () => new Response(null, { status: 204 })],
    ["bytes", () => new Response(Uint8Array.of(1, 2, 255))],
    ["JSON", () => Response.json({ n: 1 })],
    ["a redirect", () => Response.redirect("http://x/elsewhere", 302)],
    ["a form", () => new Response(new URLSearchParams({ a: "b" }))],
  ] as const) {
    it(`keeps what a Response of ${what} says`, async (t) => {
      const site = await serving(t, make);
      const response = await site.request("GET /");
      const expected = make();
      assert.equal(response.status, expected.status);
      for (const [name, value] of expected.headers) assert.deepEqual(response.headers.get(name), [value]);
      assert.deepEqual([...response.body], [...new Uint8Array(await expected.arrayBuffer())]);
    });
  }

  it("lets the client see that the stream failed, and reports it", async (t) => {
    const gate = deferred();
    const site = await serving(t, () => {
      const body = new ReadableStream({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode("half"));
          await gate.promise;
          throw new Error("boom");
        },
      });
      return new Response(body);
    });
    const client = await site.connect();
    client.write(request("GET /"));
    await client.head();
    assert.equal((await client.chunk())?.toString(), "half");
    gate.resolve();
    await client.ended();
    assert.deepEqual(site.takeMessages(), ["send: boom"]);
  });

  it("answers 500 for a Response whose body was read already, and for Response.error()", async (t) => {
    const used = new Response("used");
    await used.text();
    const site = await serving(t, (r) => (r.path === "/used" ? used : Response.error()));
    for (const path of ["/used", "/error"]) {
      assert.equal((await site.request(`GET ${path}`)).status, 500);
      assert.equal(site.takeReports().length, 1);
    }
  });

  it("answers HEAD without the body", async (t) => {
    const site = await serving(t, () => new Response("hello"));
    const response = await site.request("HEAD /");
    assert.deepEqual([response.status, response.text], [200, ""]);
  });
});

describe("serve({ fetch })", () => {
  /** Starts with `port` 0, and stops with the test. */
  async function fetching(t: { after(fn: () => Promise<void>): void }, fetch: FetchHandler): Promise<Server> {
    const server = await serve({ fetch, port: 0, host: "127.0.0.1" });
    t.after(() => server.stop({ graceMs: 0 }));
    return server;
  }

  it("gives the handler a real Request", async (t) => {
    const server = await fetching(t, async (r) => {
      assert.ok(r instanceof Request);
      return Response.json([r.method, new URL(r.url).pathname, r.headers.get("x-a"), await r.text()]);
    });
    const client = await RawClient.connect(t, { port: server.port });
    client.write(request("PUT /a/b HTTP/1.1\r\nX-A: 1\r\nContent-Length: 4", "body"));
    assert.deepEqual(JSON.parse((await client.response()).text), ["PUT", "/a/b", "1", "body"]);
  });

  it("opens channels for its requests, and answers with `channel.response`", async (t) => {
    const server = await fetching(t, (r) => withChannel(r, (channel) => channel.send("hello from a channel")).response);
    const poll = await RawClient.connect(t, { port: server.port });
    poll.write(request("GET /"));
    assert.equal((await poll.response()).text, "hello from a channel");
    const ws = await WsClient.open(t, { port: server.port });
    assert.equal(await ws.message(), "hello from a channel");
  });

  it("knows a channel's response that a framework has copied", async (t) => {
    const server = await fetching(t, (r) => {
      const { response } = withChannel(r, (channel) => channel.send("hello"));
      const copy = new Response(response.body, response);
      copy.headers.set("X-Framework", "was here");
      return copy;
    });
    const client = await RawClient.connect(t, { port: server.port });
    client.write(request("GET /a") + request("GET /b"));
    assert.equal((await client.response()).text, "hello");
    assert.equal((await client.response()).text, "hello");
  });

  for (const method of ["TRACE", "CONNECT"]) {
    it(`answers ${method} with 405, since Fetch has no such Request`, async (t) => {
      const server = await fetching(t, () => new Response("never"));
      const client = await RawClient.connect(t, { port: server.port });
      client.write(request(method === "CONNECT" ? "CONNECT x:80 HTTP/1.1\r\nHost: x:80" : "TRACE /"));
      assert.equal((await client.response()).status, 405);
    });
  }
});

describe("a handler that returns what another server answered", () => {
  const text = "the same again, ".repeat(50);
  const codings = { gzip: gzipSync(text), deflate: deflateSync(text), br: brotliCompressSync(text) };

  for (const [coding, coded] of Object.entries(codings)) {
    const skip = coding === "deflate" && lacks("a fetch that decodes deflate");
    it(`sends a body that fetch has decoded without the fields of ${coding}`, { skip }, async (t) => {
      const upstream = await serving(t, () => ({
        headers: { "Content-Encoding": coding, ETag: '"1"', Upgrade: "h2c" },
        body: coded,
      }));
      const site = await serving(t, () => fetch(`http://127.0.0.1:${upstream.server.port}/`));
      const response = await site.request("GET /");
      assert.equal(response.text, text);
      assert.equal(response.headers.get("content-encoding"), undefined);
      assert.equal(response.headers.get("upgrade"), undefined);
      assert.deepEqual(response.headers.get("etag"), ['"1"']);
    });
  }

  it("sends on no field that its Connection names, and all cookies", async (t) => {
    const upstream = createServer((_request, response) => {
      response.writeHead(200, {
        Connection: "close, X-Hop ,x-hop-2",
        "X-Hop": "1",
        "X-Hop-2": "2",
        "X-Other": "3",
        "Set-Cookie": ["a=1", "b=2"],
        "Keep-Alive": "timeout=5",
      });
      response.end("hello");
    });
    await once(upstream.listen(0, "127.0.0.1"), "listening");
    t.after(() => upstream.close());
    const { port } = upstream.address() as AddressInfo;
    const site = await serving(t, () => fetch(`http://127.0.0.1:${port}`));
    const { headers, text } = await site.request("GET /");
    assert.equal(text, "hello");
    for (const name of ["x-hop", "x-hop-2", "keep-alive"]) assert.equal(headers.get(name), undefined, name);
    assert.deepEqual([headers.get("x-other"), headers.get("set-cookie")], [["3"], ["a=1", "b=2"]]);
  });

  // Node has zstd since 22.15, and its fetch decodes it since 24.
  if ("zstdCompressSync" in zlib) {
    it("has the same bytes whether or not this Node's fetch decodes zstd", async (t) => {
      const { zstdCompressSync } = zlib as unknown as { zstdCompressSync: (text: string) => Buffer };
      const coded = zstdCompressSync(text);
      const upstream = await serving(t, () => ({ headers: { "Content-Encoding": "zstd" }, body: coded }));
      const site = await serving(t, () => fetch(upstream.server.url.replace("localhost", "127.0.0.1")));
      const { headers, body } = await site.request("GET /");
      if (headers.get("content-encoding") === undefined) assert.equal(String(body), text);
      else assert.deepEqual(body, coded);
    });
  }

  it("has the fields of a HEAD, a 204 and a 304 as they came, and follows redirections", async (t) => {
    const upstream = await serving(t, (r) => {
      if (r.path === "/there") return { status: 302, headers: { Location: "/gzip" } };
      if (r.path === "/204") return { status: 204, headers: { ETag: '"2"' } };
      if (r.path === "/304") return { status: 304, headers: { ETag: '"3"' } };
      return { headers: { "Content-Encoding": "gzip" }, body: codings.gzip };
    });
    const site = await serving(t, ({ method, path }) =>
      fetch(`http://127.0.0.1:${upstream.server.port}${path}`, { method }),
    );
    const head = await site.request("HEAD /gzip");
    assert.deepEqual(
      [head.headers.get("content-encoding"), head.headers.get("content-length"), head.text],
      [["gzip"], [String(codings.gzip.length)], ""],
    );
    for (const [path, etag] of [
      ["/204", '"2"'],
      ["/304", '"3"'],
    ]) {
      const response = await site.request(`GET ${path}`);
      assert.deepEqual([response.status, response.headers.get("etag")], [Number(path!.slice(1)), [etag]]);
      for (const name of ["content-type", "content-length"]) assert.equal(response.headers.get(name), undefined);
    }
    assert.equal((await site.request("GET /there")).text, text);
  });

  it("leaves a coding that fetch does not decode, and the length of a body that has none", async (t) => {
    const upstream = await serving(t, (r) => ({
      headers: r.path === "/plain" ? { "Content-Type": "text/css" } : { "Content-Encoding": "x-unknown" },
      body: "as it is",
    }));
    const site = await serving(t, (r) => fetch(`http://127.0.0.1:${upstream.server.port}${r.path}`));
    const unknown = await site.request("GET /unknown");
    assert.deepEqual([unknown.text, unknown.headers.get("content-encoding")], ["as it is", ["x-unknown"]]);
    const plain = await site.request("GET /plain");
    assert.deepEqual([plain.text, plain.headers.get("content-length")], ["as it is", ["8"]]);
  });

  it("leaves what the application has coded itself", async (t) => {
    const site = await serving(t, () => new Response(codings.gzip, { headers: { "Content-Encoding": "gzip" } }));
    const response = await site.request("GET /");
    assert.deepEqual(response.headers.get("content-encoding"), ["gzip"]);
    assert.deepEqual(response.body, codings.gzip);
  });
});
