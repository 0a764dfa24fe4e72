// Requests that are refused: RFC 9112, design §5, and http-kit's HttpDecoderTest. A refusal is a whole response, then the
// end of the connection, and the handler never sees the request.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServeOptions } from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";

const HOST = "Host: x\r\n";
const POST = `POST / HTTP/1.1\r\n${HOST}`;
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;

/** The fault, the bytes, the status. */
const REFUSED: readonly (readonly [what: string, bytes: string, status: number, options?: ServeOptions])[] = [
  ["no request line", "nonsense\r\n\r\n", 400],
  ["two blanks in the request line", `GET  / HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["a tab in the request line", `GET\t/ HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["a blank in the target", `GET /a b HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["a blank before the method", ` GET / HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["a control character in the target", `GET /a\x01b HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["a byte above 0x7f in the target", `GET /\xfc HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["a method that is no token", `G(T / HTTP/1.1\r\n${HOST}\r\n`, 400],
  ["HTTP/2.0 (RFC 9110 §15.6.6)", `GET / HTTP/2.0\r\n${HOST}\r\n`, 505],
  ["a version that is none", `GET / HTTP/1.x\r\n${HOST}\r\n`, 400],
  ["bare LF", `GET / HTTP/1.1\n${HOST}\r\n`, 400],
  ["CR without LF", `GET / HTTP/1.1\r\nX: a\rb\r\n${HOST}\r\n`, 400],
  ["a field without a colon", `GET / HTTP/1.1\r\n${HOST}nonsense\r\n\r\n`, 400],
  ["a field without a name", `GET / HTTP/1.1\r\n${HOST}: x\r\n\r\n`, 400],
  ["a blank before the colon", `GET / HTTP/1.1\r\n${HOST}X-A : x\r\n\r\n`, 400],
  ["a folded line", `GET / HTTP/1.1\r\n${HOST}X-A: x\r\n y\r\n\r\n`, 400],
  ["NUL in a value", `GET / HTTP/1.1\r\n${HOST}X-A: x\0y\r\n\r\n`, 400],
  ["DEL in a value", `GET / HTTP/1.1\r\n${HOST}X-A: x\x7fy\r\n\r\n`, 400],
  [
    "Content-Length with Transfer-Encoding",
    `${POST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ["a signed Content-Length", `${POST}Content-Length: +3\r\n\r\nabc`, 400],
  ["a negative Content-Length", `${POST}Content-Length: -3\r\n\r\nabc`, 400],
  ["a Content-Length that is no number", `${POST}Content-Length: 3x\r\n\r\nabc`, 400],
  ["two Content-Lengths that differ", `${POST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`, 400],
  ["a transfer coding that is not implemented (RFC 9112 §6.1)", `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n`, 501],
  ["chunked twice", `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`, 501],
  ["Transfer-Encoding in HTTP/1.0", `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ["another expectation (RFC 9110 §10.1.1)", `${POST}Expect: a-miracle\r\nContent-Length: 3\r\n\r\nabc`, 417],
  ["more header lines than 100", request(`GET / HTTP/1.1${"\r\nX-A: 1".repeat(101)}`), 431],
  ["more header bytes than 16 KiB", request(`GET / HTTP/1.1\r\nX-A: ${"a".repeat(17_000)}`), 431],
  ["a target over 8 KiB", request(`GET /${"a".repeat(8192)}`), 414],
  ["a target that has no end", `GET /${"a".repeat(100_000)}`, 414],
  ["a body over the limit by its Content-Length", `${POST}Content-Length: 11\r\n\r\n`, 413, { maxBodyBytes: 10 }],
  ["a body over 8 MiB", `${POST}Content-Length: ${8 * 1024 * 1024 + 1}\r\n\r\n`, 413],
  ["a Content-Length that no number holds", `${POST}Content-Length: 99999999999999999999\r\n\r\n`, 413],
];

/** Refused while the body is read: the handler has been called, and the body fails. */
const REFUSED_BODIES: readonly (readonly [what: string, bytes: string, status: number, options?: ServeOptions])[] = [
  ["a negative chunk size", `${CHUNKED}-1\r\n`, 400],
  ["a signed chunk size", `${CHUNKED}+1\r\na\r\n`, 400],
  ["a chunk size that is no number", `${CHUNKED}xyz\r\n`, 400],
  ["a chunk size with 0x", `${CHUNKED}0x1\r\na\r\n`, 400],
  ["a chunk that is longer than its size", `${CHUNKED}1\r\nab\r\n0\r\n\r\n`, 400],
  ["a chunk size that ends in a bare LF", `${CHUNKED}1\na\r\n0\r\n\r\n`, 400],
  ["chunks over the limit together", `${CHUNKED}6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n`, 413, { maxBodyBytes: 10 }],
  ["a chunk size over the limit, before it comes", `${CHUNKED}ffffffff\r\n`, 413, { maxBodyBytes: 10 }],
];

describe("a request is refused", () => {
  for (const [what, bytes, status, options] of REFUSED) {
    it(`the answer to ${what} is ${status}`, async (t) => {
      let calls = 0;
      const site = await serving(t, () => void (calls += 1), options);
      const client = await site.connect();
      client.write(bytes);
      const response = await client.response();
      assert.equal(response.status, status);
      assert.deepEqual(response.headers.get("connection"), ["close"]);
      await client.ended();
      assert.equal(calls, 0);
    });
  }

  for (const [what, bytes, status, options] of REFUSED_BODIES) {
    it(`the answer to ${what} is ${status}`, async (t) => {
      const site = await serving(t, async (r) => `read ${await r.text()}`, options);
      const client = await site.connect();
      client.write(bytes);
      const response = await client.response();
      assert.equal(response.status, status);
      await client.ended();
    });
  }

  for (const host of [
    "localhost",
    "localhost:4347",
    "localhost:",
    "[::1]",
    "[::1]:80",
    "a-b.example:65535",
    "127.0.0.1",
  ]) {
    it(`Host: ${host} is accepted`, async (t) => {
      const site = await serving(t, () => "ok");
      assert.equal((await site.request(`GET / HTTP/1.1\r\nHost: ${host}`)).status, 200);
    });
  }

  for (const host of [
    "",
    "localhost:es",
    "localhost:()",
    "localhost:65536",
    "localhost:+80",
    "localhost:-1",
    "a b",
    "user@x",
    "x/y",
    "x\\y",
    "[::1",
    "a, b",
  ]) {
    it(`Host: ${host || "(empty)"} gets 400 (RFC 9112 §3.2)`, async (t) => {
      const site = await serving(t, () => "ok");
      assert.equal((await site.request(`GET / HTTP/1.1\r\nHost: ${host}`)).status, 400);
    });
  }

  for (const [what, fields] of [
    ["no Host", ""],
    ["two Hosts", "Host: a\r\nHost: b\r\n"],
    ["the same Host twice", "Host: a\r\nHost: a\r\n"],
  ] as const) {
    it(`the answer to ${what} is 400 (RFC 9112 §3.2)`, async (t) => {
      const site = await serving(t, () => "ok");
      const client = await site.connect();
      client.write(`GET / HTTP/1.1\r\n${fields}\r\n`);
      assert.equal((await client.response()).status, 400);
      await client.ended();
    });
  }

  it("no request after a refused one is answered", async (t) => {
    const paths: string[] = [];
    const site = await serving(t, (r) => {
      paths.push(r.path);
      return "ok";
    });
    const client = await site.connect();
    client.write(`${request("GET /good")}GET /bad HTTP/1.1\r\n\r\n${request("GET /after")}`);
    assert.equal((await client.response()).status, 200);
    assert.equal((await client.response()).status, 400);
    await client.ended();
    assert.deepEqual(paths, ["/good"]);
  });

  it("the response of a refusal arrives completely, even if 2 MB of garbage follow", async (t) => {
    const site = await serving(t, () => "ok");
    const client = await site.connect();
    client.write(`GET / HTTP/9.9\r\n\r\n`);
    client.write("x".repeat(2_000_000));
    client.end();
    assert.equal((await client.response()).status, 505);
    await client.ended();
  });

  it("the refusal of a HEAD has no body", async (t) => {
    const site = await serving(t, () => "ok");
    const client = await site.connect();
    client.write("HEAD / HTTP/1.1\r\n\r\n");
    assert.equal((await client.response("HEAD")).status, 400);
    await client.ended();
  });

  it("a refusal after a HEAD has a body", async (t) => {
    const site = await serving(t, () => "ok");
    const client = await site.connect();
    client.write(`${request("HEAD /")}GET / HTTP/1.1\r\n\r\n`);
    assert.equal((await client.response("HEAD")).status, 200);
    assert.match((await client.response()).text, /Host/);
    await client.ended();
  });

  for (const length of [1, 1000, 8000, 8192]) {
    it(`a target of ${length} bytes is accepted`, async (t) => {
      const site = await serving(t, (r) => String(r.url.length));
      assert.equal((await site.request(`GET /${"a".repeat(length - 1)}`)).text, String(length));
    });
  }
});
