// Limits of connections: `maxConnections`, `maxConnectionsPerAddress`, `tlsHandshakeTimeoutMs`, each just under and just over.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { AddressLimit } from "../../src/server/admission.ts";
import { RawClient, type RawResponse } from "../support/raw-client.ts";
import { certificate, noCertificate, request, type Site, serving, socketPath } from "../support/serving.ts";
import { settled, until } from "../support/wait.ts";

/** A connection that has had an answer. */
async function served(client: RawClient, text = request("GET /")): Promise<RawResponse> {
  client.write(text);
  return client.response();
}

async function assertRefused(site: Site): Promise<void> {
  const client = await site.connect();
  const { status, headers } = await client.response();
  assert.deepEqual([status, headers.has("retry-after")], [503, true]);
  await client.ended();
}

/** A TCP connection that begins no TLS; resolves when the server drops it. */
function silent(t: TestContext, port: number): { connected: Promise<void>; dropped: Promise<void> } {
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  return {
    connected: new Promise((resolve) => socket.once("connect", () => resolve())),
    dropped: new Promise((resolve) => socket.once("close", () => resolve())),
  };
}

for (const limit of ["maxConnections", "maxConnectionsPerAddress"]) {
  describe(limit, () => {
    it("accepts connections up to the limit, refuses one more with 503, and accepts the next when one has gone", async (t) => {
      const site = await serving(t, () => "ok", { [limit]: 2 });
      const [first, second] = [await site.connect(), await site.connect()];
      assert.equal((await served(first)).status, 200);
      assert.equal((await served(second)).status, 200);
      await assertRefused(site);
      first.destroy();
      await until(() => site.server.stats().connections === 1, "the first is gone");
      assert.equal((await site.request("GET /")).text, "ok");
    });
  });
}

describe("maxConnections", () => {
  it("counts TLS handshakes, and drops one connection more before its handshake", {
    skip: noCertificate,
  }, async (t) => {
    const site = await serving(t, () => "ok", { tls: certificate(), maxConnections: 2 });
    const first = await site.connect();
    assert.equal((await served(first)).status, 200);
    const waiting = silent(t, site.server.port);
    await waiting.connected;
    await silent(t, site.server.port).dropped;
    await assert.rejects(site.connect(), { code: "ECONNRESET" });
    assert.equal((await served(first)).status, 200);
    first.destroy();
    await until(() => site.server.stats().connections === 0, "the first is gone");
    assert.equal((await site.request("GET /")).text, "ok");
  });
});

describe("tlsHandshakeTimeoutMs", () => {
  it("drops a connection that does not finish its handshake", { skip: noCertificate }, async (t) => {
    const site = await serving(t, () => "ok", { tls: certificate(), tlsHandshakeTimeoutMs: 50 });
    await silent(t, site.server.port).dropped;
  });

  it("does not drop a connection whose handshake is done", { skip: noCertificate }, async (t) => {
    const site = await serving(t, () => "ok", { tls: certificate(), tlsHandshakeTimeoutMs: 5000 });
    const client = await site.connect();
    assert.equal((await served(client)).status, 200);
  });

  for (const tlsHandshakeTimeoutMs of [0, Number.POSITIVE_INFINITY]) {
    it(`takes the value ${tlsHandshakeTimeoutMs}`, { skip: noCertificate }, async (t) => {
      const site = await serving(t, () => "ok", { tls: certificate(), tlsHandshakeTimeoutMs });
      if (tlsHandshakeTimeoutMs === 0) await silent(t, site.server.port).dropped;
      else assert.equal((await site.request("GET /")).text, "ok");
    });
  }

  it("applies to handshakes behind a PROXY header, too", { skip: noCertificate }, async (t) => {
    const site = await serving(t, () => "ok", {
      tls: certificate(),
      tlsHandshakeTimeoutMs: 50,
      trustedProxies: ["loopback"],
      proxyProtocol: "required",
    });
    const socket = connect(site.server.port, "127.0.0.1");
    t.after(() => socket.destroy());
    socket.write("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
  });
});

describe("maxConnectionsPerAddress", () => {
  it("drops one connection more before TLS", { skip: noCertificate }, async (t) => {
    const site = await serving(t, () => "ok", { tls: certificate(), maxConnectionsPerAddress: 1 });
    const first = await site.connect();
    assert.equal((await served(first)).status, 200);
    await silent(t, site.server.port).dropped;
    first.destroy();
    await until(() => site.server.stats().connections === 0, "the first is gone");
    assert.equal((await site.request("GET /")).text, "ok");
  });

  it("does not count trusted proxies, nor a Unix socket", async (t) => {
    const proxied = await serving(t, () => "ok", { maxConnectionsPerAddress: 1, trustedProxies: ["loopback"] });
    const local = await serving(t, () => "ok", { maxConnectionsPerAddress: 1, path: socketPath(t) });
    for (const site of [proxied, local]) {
      for (let i = 0; i < 3; i++) assert.equal((await served(await site.connect())).status, 200);
    }
  });

  for (const tls of noCertificate === false ? [false, true] : [false]) {
    it(`counts by the address in the PROXY header${tls ? ", before TLS" : ""}`, async (t) => {
      const site = await serving(t, () => "ok", {
        maxConnectionsPerAddress: 2,
        trustedProxies: ["loopback"],
        proxyProtocol: "required",
        ...(tls ? { tls: certificate() } : {}),
      });
      const open = async (address: string): Promise<RawClient> => {
        const client = await RawClient.connect(t, { port: site.server.port });
        client.write(`PROXY TCP4 ${address} 192.0.2.100 1234 80\r\n`);
        if (!tls) client.write(request("GET /"));
        return client;
      };
      const first = await open("192.0.2.1");
      const second = await open("192.0.2.1");
      const third = await open("192.0.2.1");
      const other = await open("192.0.2.2");
      await third.until(() => third.isEnded, "the third is refused");
      if (!tls) {
        assert.equal((await third.response()).status, 503);
        for (const client of [first, second, other]) assert.equal((await client.response()).status, 200);
      }
      await settled(() => [first, second, other].filter((client) => client.isEnded).length);
      assert.deepEqual(
        [first, second, other].map((client) => client.isEnded),
        [false, false, false],
      );
      first.destroy();
      // Until the server has seen that it is gone.
      let fourth = await open("192.0.2.1");
      for (let i = 0; i < 50 && (await isTurnedAway(fourth)); i++) fourth = await open("192.0.2.1");
      assert.equal(fourth.isEnded, false);
    });
  }
});

async function isTurnedAway(client: RawClient): Promise<boolean> {
  await settled(() => client.isEnded);
  return client.isEnded;
}

describe("AddressLimit", () => {
  it("takes an IPv6 /64 for one address (RFC 6177 §2)", () => {
    const limit = new AddressLimit(1, undefined);
    const enter = (address: string): boolean => limit.enter({}, address);
    assert.equal(enter("2001:db8:1:2:3:4:5:6"), true);
    assert.equal(enter("2001:db8:1:2::1"), false);
    assert.equal(enter("2001:db8:1:2:ffff::"), false);
    assert.equal(enter("2001:db8:1:3::1"), true);
    assert.equal(enter("2001:db8::1"), true);
    assert.equal(enter("2001:db8::2:0:0:1"), false);
    assert.equal(enter("::1"), true);
    assert.equal(enter("::2"), false);
    assert.equal(enter("192.0.2.1"), true);
    assert.equal(enter("192.0.2.2"), true);
    assert.equal(enter("192.0.2.1"), false);
  });

  it("forgets an address whose connections are closed", () => {
    const limit = new AddressLimit(2, undefined);
    const connections = [{}, {}, {}];
    assert.deepEqual(
      connections.map((connection) => limit.enter(connection, "192.0.2.1")),
      [true, true, false],
    );
    for (const connection of [...connections, ...connections]) limit.leave(connection);
    assert.deepEqual(
      connections.map((connection) => limit.enter(connection, "192.0.2.1")),
      [true, true, false],
    );
  });
});
