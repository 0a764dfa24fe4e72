// Hosts that are not ours are refused before any code of the application: RFC 9110 §7.4, against DNS rebinding.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type AllowedHosts,
  createChannelStore,
  openSession,
  pollGroup,
  type ServeOptions,
  serve,
  withChannel,
} from "../../src/index.ts";
import { type Site, serving } from "../support/serving.ts";

const HANDSHAKE =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

/** Requests, and the status of their answers for our own host. */
const REQUESTS: Readonly<Record<string, readonly [text: string, status: number]>> = {
  "a GET": ["GET /", 200],
  "a HEAD": ["HEAD /", 200],
  "a POST with a body": ["POST /\r\nContent-Length: 0", 200],
  "an OPTIONS": ["OPTIONS /", 200],
  "a preflight": ["OPTIONS /\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: GET", 204],
  "a WebSocket": [`GET /channel\r\n${HANDSHAKE}`, 101],
  "an event stream": ["GET /channel\r\nAccept: text/event-stream", 204],
  "a group's poll": ["GET /group", 200],
  "a session's poll": ["GET /session?mode=poll", 200],
  "a session's POST": ["POST /session?session=x&from=1\r\nContent-Length: 0", 410],
  "a session's WebSocket": [`GET /session\r\n${HANDSHAKE}\r\nSec-WebSocket-Protocol: unichannel.v1`, 101],
};

interface HostSite {
  readonly site: Site;
  /** Requests that reached the application: its handler, or its upgrade check. */
  readonly seen: string[];
}

async function start(t: TestContext, options: ServeOptions): Promise<HostSite> {
  const seen: string[] = [];
  const store = createChannelStore();
  t.after(() => store.close());
  const logger = { info() {}, warn() {}, error() {} };
  const site = await serving(
    t,
    (r) => {
      seen.push(r.url);
      if (r.path === "/session") return openSession(r, {});
      if (r.path === "/group") return pollGroup(r, store, "g");
      if (r.path === "/channel") return withChannel(r, (channel) => void (channel.isWebSocket || channel.close()));
      return { status: 200, body: "here" };
    },
    { logger, upgrade: (r) => void seen.push(`upgrade ${r.url}`), ...options },
  );
  return { site, seen };
}

describe("a request for a host that is not ours", () => {
  for (const [what, [text, status]] of Object.entries(REQUESTS)) {
    it(`is refused with 421 before the application sees it: ${what}`, async (t) => {
      const { site, seen } = await start(t, { allowedHosts: ["our.example"], allowedOrigins: ["https://app.example"] });
      // A page whose own name was pointed to our address is of the same origin as what it asks for.
      const rebound = await site.request(
        `${text}\r\nHost: evil.example:9090${text.includes("Origin") ? "" : "\r\nOrigin: http://evil.example:9090"}`,
      );
      assert.equal(rebound.status, 421);
      assert.deepEqual(rebound.headers.get("x-content-type-options"), ["nosniff"]);
      assert.equal(rebound.headers.get("access-control-allow-origin"), undefined);
      assert.deepEqual(seen, []);
      assert.equal((await site.request(`${text}\r\nHost: our.example`)).status, status);
    });
  }

  it("is refused after requests for ours on the same connection, and the connection goes on", async (t) => {
    const { site } = await start(t, { allowedHosts: ["our.example"] });
    const client = await site.connect();
    const statuses: number[] = [];
    for (const host of ["our.example", "evil.example", "our.example", "our.example.evil", "OUR.example."]) {
      client.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      statuses.push((await client.response()).status);
    }
    assert.deepEqual(statuses, [200, 421, 200, 421, 200]);
  });

  it("is one that the target names, whatever the Host field says (RFC 9112 §3.2.2)", async (t) => {
    const { site } = await start(t, { allowedHosts: ["our.example"] });
    assert.equal((await site.request("GET http://evil.example/\r\nHost: evil.example")).status, 421);
    assert.equal((await site.request("GET http://our.example/\r\nHost: our.example")).status, 200);
    const mixed = await site.request("GET http://evil.example/\r\nHost: our.example");
    assert.ok(mixed.status === 421 || mixed.status === 400, `${mixed.status}`);
  });

  it("is one that HTTP/1.0 does not name", async (t) => {
    const { site } = await start(t, { allowedHosts: ["our.example"] });
    const client = await site.connect();
    client.write("GET / HTTP/1.0\r\n\r\n");
    assert.equal((await client.response()).status, 421);
  });

  it("is what a trusted proxy says, and nobody else", async (t) => {
    const forwarded = "GET /\r\nHost: 10.0.0.1:9090\r\nX-Forwarded-Host: our.example";
    const trusting = await start(t, { allowedHosts: ["our.example"], trustedProxies: ["loopback"] });
    assert.equal((await trusting.site.request(forwarded)).status, 200);
    const other = await start(t, { allowedHosts: ["our.example"] });
    assert.equal((await other.site.request(forwarded)).status, 421);
  });
});

describe("allowedHosts", () => {
  const cases: readonly (readonly [AllowedHosts, string, number])[] = [
    [["localhost"], "localhost", 200],
    [["localhost"], "LOCALHOST:1", 200],
    [["localhost"], "localhost.", 200],
    [["localhost"], "localhost.evil.example", 421],
    [["localhost"], "evil-localhost", 421],
    [["localhost:9090"], "localhost:9090", 200],
    [["localhost:9090"], "localhost:9091", 421],
    [["localhost:9090"], "localhost", 421],
    [["localhost:80"], "localhost", 200],
    [["localhost"], "localhost:", 200],
    [["127.0.0.1"], "127.0.0.1:8080", 200],
    [["127.0.0.1"], "127.0.0.2", 421],
    [["127.0.0.1"], "127.0.0.1.evil.example", 421],
    [["::1"], "[::1]", 200],
    [["[::1]"], "[::1]:8080", 200],
    [["[::1]:8080"], "[::1]:8080", 200],
    [["[::1]:8080"], "[::1]:8081", 421],
    [["0:0:0:0:0:0:0:1"], "[::1]", 200],
    [["::1"], "[::2]", 421],
    [[".app.example"], "app.example", 200],
    [[".app.example"], "a.b.app.example:99", 200],
    [[".app.example"], "evilapp.example", 421],
    [[".app.example"], "app.example.evil", 421],
    [[/[a-z]+\.app\.example/], "a.app.example:8080", 200],
    [[/[a-z]+\.app\.example/], "a.app.example.evil", 421],
    [[/[a-z]+\.app\.example/], "evil/a.app.example", 400],
    [[/a\.example|b\.example/], "b.example", 200],
    [[/a\.example|b\.example/], "b.example.evil", 421],
    [["bücher.example"], "xn--bcher-kva.example", 200],
  ];
  for (const [allowedHosts, host, status] of cases) {
    it(`${String(allowedHosts)} answers ${host} with ${status}`, async (t) => {
      const { site } = await start(t, { allowedHosts });
      assert.equal((await site.request(`GET /\r\nHost: ${host}`)).status, status);
    });
  }

  it("has patterns with the flags g and y match each time", async (t) => {
    const { site } = await start(t, { allowedHosts: [/a\.example/g, /b\.example/y] });
    for (const host of ["a.example", "b.example", "a.example", "c.example", "b.example"]) {
      assert.equal((await site.request(`GET /\r\nHost: ${host}`)).status, host === "c.example" ? 421 : 200);
    }
  });

  for (const [allowedHosts, message] of [
    [[], /is empty/],
    ["app.example", /not a list/],
    [["*.app.example"], /write "\.app\.example"/],
    [["http://app.example"], /more than a host: write "app\.example"/],
    [["app.example/path"], /more than a host/],
    [[""], /not a host/],
    [["a b"], /not a host/],
    [["user@app.example"], /not a host/],
    [[1], /neither a string nor a RegExp/],
  ] as const) {
    it(`is BAD_OPTION for ${JSON.stringify(allowedHosts)}`, async () => {
      await assert.rejects(
        serve(() => "", { port: 0, allowedHosts: allowedHosts as unknown as AllowedHosts }),
        { code: "BAD_OPTION", message },
      );
    });
  }
});
