// The option `headers`: on every answer that a request with a channel, a session or a poll gets, whoever makes the answer.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type ChannelOptions,
  createChannelStore,
  type Handler,
  openChannel,
  openSession,
  pollGroup,
  withChannel,
} from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";
import { upgradeRequest } from "../support/ws-client.ts";

/** The last two describe the content of the application's own answers. */
const OWN = { "X-Own": "1", "Content-Type": "application/json", "Content-Language": "de" };

const channel =
  (setup: Parameters<typeof withChannel>[1], options: ChannelOptions = {}): Handler =>
  (r) =>
    withChannel(r, setup, { ...options, headers: OWN });

const post = (field: string): string => request(`POST /\r\n${field}`);

const readAll: Handler = (r) => withChannel(r, async (c) => void c.send(await r.bytes(), true), { headers: OWN });

/** Answers of the engine, or of the library for the application: [what, status, handler, bytes of the request]. */
const FAILURES: readonly (readonly [what: string, status: number, handler: Handler, bytes: string])[] = [
  ["a setup that throws", 500, channel(() => assert.fail("x")), request("GET /")],
  [
    "an event stream's setup that throws",
    500,
    channel(() => assert.fail("x")),
    request("GET /\r\nAccept: text/event-stream"),
  ],
  ["a setup that rejects", 500, channel(() => Promise.reject(new Error("x"))), request("GET /")],
  [
    "an open of openChannel that throws",
    500,
    (r) => openChannel(r, { open: () => assert.fail("x") }, { headers: OWN }),
    request("GET /"),
  ],
  [
    "a body that is no JSON",
    400,
    (r) => withChannel(r, () => r.json(), { headers: OWN }),
    `${post("Content-Length: 1")}{`,
  ],
  [
    "a chunked body over maxBodyBytes",
    413,
    readAll,
    `${post("Transfer-Encoding: chunked")}1388\r\n${"x".repeat(5000)}`,
  ],
  ["a malformed chunk", 400, readAll, `${post("Transfer-Encoding: chunked")}zz\r\n`],
  [
    "trailers over maxHeaderBytes",
    431,
    readAll,
    `${post("Transfer-Encoding: chunked")}0\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
  ],
  ["a body that does not come", 408, readAll, post("Content-Length: 5")],
  ["a malformed handshake", 400, channel(() => {}), upgradeRequest("/", ["Sec-WebSocket-Version: 13"])],
  ["a page of another origin", 403, channel(() => {}), upgradeRequest("/", ["Origin: http://evil.example"])],
  ["a session's method", 405, (r) => openSession(r, {}, { headers: OWN }), request("PUT /")],
  ["a session's GET that accepts no event stream", 406, (r) => openSession(r, {}, { headers: OWN }), request("GET /")],
  ["a POST without from", 400, (r) => openSession(r, {}, { headers: OWN }), post("Content-Length: 0")],
  [
    "a POST of no session",
    410,
    (r) => openSession(r, {}, { headers: OWN }),
    request("POST /?from=1\r\nContent-Length: 0"),
  ],
  ["a session's handshake", 400, (r) => openSession(r, {}, { headers: OWN }), upgradeRequest("/")],
];

describe("headers of the options are on the answer to", () => {
  for (const [what, status, handler, bytes] of FAILURES) {
    it(`${what}: ${status}, whose text is named as text`, async (t) => {
      const site = await serving(t, handler, { maxBodyBytes: 4096, requestTimeoutMs: 1 });
      const client = await site.connect();
      client.write(bytes);
      const { headers, status: answered } = await client.response();
      assert.equal(answered, status);
      assert.deepEqual(headers.get("x-own"), ["1"]);
      assert.deepEqual(headers.get("content-type"), ["text/plain; charset=utf-8"]);
      assert.equal(headers.get("content-language"), undefined);
      assert.equal(headers.get("content-length")?.length, 1);
      site.takeReports();
      assert.equal(headers.get("connection")?.length ?? 1, 1);
    });
  }

  it("a request whose channel closes without a message, without those that describe content", async (t) => {
    const site = await serving(
      t,
      channel((c) => void c.close()),
    );
    for (const extra of ["", "\r\nAccept: text/event-stream"]) {
      const { status, headers } = await site.request(`GET /${extra}`);
      assert.deepEqual([status, headers.get("x-own"), headers.get("content-type")], [204, ["1"], undefined]);
    }
  });

  for (const status of [204, 205, 304]) {
    it(`a request that is sent a ${status}, without those that describe content, GET and HEAD`, async (t) => {
      const site = await serving(
        t,
        channel((c) => void c.send({ status, body: "x" })),
      );
      for (const method of ["GET", "HEAD"]) {
        const { headers } = await site.request(`${method} /`);
        assert.deepEqual(headers.get("x-own"), ["1"]);
        for (const name of ["content-type", "content-language"]) assert.equal(headers.get(name), undefined, name);
      }
    });
  }

  it("a request that the application itself answers with a 404, whose content they describe", async (t) => {
    const site = await serving(
      t,
      channel((c) => void c.send({ status: 404, body: "{}" })),
    );
    for (const method of ["GET", "HEAD"]) {
      const { headers } = await site.request(`${method} /`);
      assert.deepEqual([headers.get("x-own"), headers.get("content-type")], [["1"], ["application/json"]]);
    }
  });

  it("a poll that waits in vain, and one that a stop sends away", async (t) => {
    const store = createChannelStore();
    t.after(() => store.close());
    let parkMs = 1;
    const site = await serving(t, (r) => pollGroup(r, store, "g", { headers: OWN, parkMs }));
    const now = JSON.parse((await site.request("GET /")).text).next;
    const vain = await site.request(`GET /?since=${now}`);
    assert.deepEqual(
      [vain.status, vain.headers.get("x-own"), vain.headers.get("content-type")],
      [204, ["1"], undefined],
    );
    parkMs = 60_000;
    const client = await site.connect();
    client.write(request(`GET /?since=${now}`));
    await until(() => store.size("g") === 1, "it is parked");
    const stopped = site.server.stop();
    const sent = await client.response();
    assert.deepEqual([sent.status, sent.headers.get("x-own")], [503, ["1"]]);
    await stopped;
  });

  it("no later request on the same connection", async (t) => {
    const site = await serving(t, (r) =>
      r.path === "/a" ? withChannel(r, (c) => c.send("x"), { headers: OWN }) : "b",
    );
    const client = await site.connect();
    client.write(request("GET /a"));
    assert.deepEqual((await client.response()).headers.get("x-own"), ["1"]);
    client.write(request("GET /b"));
    assert.equal((await client.response()).headers.get("x-own"), undefined);
    client.write("GET / HTTP/9\r\n\r\n");
    assert.equal((await client.response()).headers.get("x-own"), undefined);
  });
});
