// Requests that are on their way while a server stops. The clock stands still: a server that waits, waits until the test moves it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { runtime } from "../../src/base/runtime.ts";
import type { Handler, ServeOptions } from "../../src/index.ts";
import { Connections } from "../../src/server/connections.ts";
import { ExchangeServer } from "../../src/server/exchange-server.ts";
import { Http2Connection } from "../../src/server/http2-connection.ts";
import { toHttp2Limits } from "../../src/server/http2-options.ts";
import { toProxyFront } from "../../src/server/proxy-front.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { Http2Client } from "../support/http2-client.ts";
import { RawClient } from "../support/raw-client.ts";
import { request, serving } from "../support/serving.ts";
import { settled, until, within } from "../support/wait.ts";

/** `LAST_REQUEST_MS` and `LAST_TLS_REQUEST_MS` of `connections.ts`. */
const LAST_REQUEST_MS = 100;
const LAST_TLS_REQUEST_MS = 500;

/** RFC 9113 §3.4: the client's, with empty settings. */
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

interface Still {
  readonly clock: VirtualClock;
  readonly server: ExchangeServer;
  readonly connections: Connections;
  readonly port: number;
  connect(): Promise<RawClient>;
}

/** A server on a port, with a clock that stands still. `arrived`: gets each socket in place of the connections. */
async function still(
  t: TestContext,
  handler: Handler,
  options: ServeOptions = {},
  arrived?: (socket: Socket, connections: Connections) => void,
): Promise<Still> {
  const clock = new VirtualClock();
  const server = new ExchangeServer(handler, options, { clock });
  const connections = new Connections(server, arrived === undefined ? "atAccept" : "beforeTls");
  connections.front = toProxyFront(options, server.proxies?.isProxy, undefined, connections);
  server.start(connections);
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    arrived === undefined ? connections.accept(socket) : arrived(socket, connections),
  );
  await once(listener.listen(0, "127.0.0.1"), "listening");
  t.after(async () => {
    listener.close();
    let isStopped = false;
    void server.stop({ graceMs: 0 }).finally(() => (isStopped = true));
    // A test that has failed may have left a stop that waits for the clock.
    await until(() => {
      clock.advance(1000);
      return isStopped;
    }, "it has stopped");
  });
  const { port } = listener.address() as AddressInfo;
  return { clock, server, connections, port, connect: () => RawClient.connect(t, { port }) };
}

/** The same for connections of HTTP/2, without TLS, and those that it has opened. */
async function stillHttp2(t: TestContext): Promise<{ site: Still; opened: Http2Connection[] }> {
  const site = await still(
    t,
    (r) => r.path,
    {},
    (socket, connections) => connections.accept(Object.assign(socket, { alpnProtocol: "h2" })),
  );
  const limits = toHttp2Limits({})!;
  const opened: Http2Connection[] = [];
  site.connections.openHttp2 = (socket, address, owner) => {
    const connection = new Http2Connection(socket, address, site.server, limits, owner);
    opened.push(connection);
    return connection;
  };
  return { site, opened };
}

/** A client that has connected and sent nothing, and whose server has then begun to stop. */
async function stoppingWithClient(
  site: Still,
  options?: { readonly graceMs?: number },
): Promise<{ client: RawClient; stopped: Promise<void> }> {
  const client = await site.connect();
  await until(() => site.connections.size === 1, "it is accepted");
  const stopped = site.server.stop(options);
  await ending(site);
  return { client, stopped };
}

/** The server has begun to end its connections, which takes it some turns. */
const ending = ({ connections }: Still): Promise<void> => settled(() => connections.size);

describe("A server that stops", () => {
  it("answers one request that comes on a new connection, and on one that was used, and says that it closes", async (t) => {
    const site = await still(t, (r) => r.path);
    const fresh = await site.connect();
    const used = await site.connect();
    used.write(request("GET /used"));
    assert.equal((await used.response()).headers.get("connection"), undefined);
    const stopped = site.server.stop();
    await ending(site);
    for (const client of [fresh, used]) {
      assert.equal(client.isEnded, false, "the server waits for a request");
      client.write(request("GET /late") + request("GET /never"));
      const response = await client.response();
      assert.deepEqual([response.text, response.headers.get("connection")], ["/late", ["close"]]);
      await client.ended();
      client.end();
    }
    await stopped;
    assert.equal(site.server.stats().requests, 3);
  });

  it("waits for the rest of a request that has begun to arrive", async (t) => {
    const site = await still(t, (r) => r.text());
    const client = await site.connect();
    const stopped = site.server.stop();
    await ending(site);
    client.write("POST / HTTP/1.1\r\nHo");
    await settled(() => client.peek().length);
    site.clock.advance(LAST_REQUEST_MS);
    await settled(() => client.isEnded);
    client.write("st: x\r\nContent-Length: 4\r\n\r\nbody");
    const response = await client.response();
    assert.deepEqual([response.text, response.headers.get("connection")], ["body", ["close"]]);
    client.end();
    await stopped;
  });

  it("answers a request that came in time, and that a busy process has not read", async (t) => {
    const site = await still(t, (r) => r.path);
    const { client, stopped } = await stoppingWithClient(site);
    client.write(request("GET /late"));
    // As if the process had been busy: the time passes before it reads.
    site.clock.advance(LAST_REQUEST_MS);
    const response = await client.response();
    assert.deepEqual([response.text, response.headers.get("connection")], ["/late", ["close"]]);
    client.end();
    await stopped;
  });

  it("can drop its connections while it waits for the reads of the last requests", async (t) => {
    const site = await still(t, () => "ok");
    const { client, stopped } = await stoppingWithClient(site, { graceMs: LAST_REQUEST_MS });
    site.clock.advance(LAST_REQUEST_MS);
    await client.ended();
    await stopped;
    assert.equal(site.server.status, "stopped");
  });

  it("ends a connection on which no request comes", async (t) => {
    const site = await still(t, () => "ok");
    const { client, stopped } = await stoppingWithClient(site);
    site.clock.advance(LAST_REQUEST_MS - 1);
    await settled(() => client.isEnded);
    assert.equal(client.isEnded, false);
    site.clock.advance(1);
    await client.ended();
    client.end();
    await stopped;
  });

  it("drops a connection on which no request comes after `graceMs`, if that is shorter", async (t) => {
    const site = await still(t, () => "ok");
    const { client, stopped } = await stoppingWithClient(site, { graceMs: 10 });
    site.clock.advance(10);
    await client.ended();
    await stopped;
  });

  it("waits for the PROXY header of a connection, and for the request behind it", async (t) => {
    const site = await still(t, (r) => `${r.remoteAddress}`, {
      trustedProxies: ["127.0.0.1"],
      proxyProtocol: "required",
    });
    const { client, stopped } = await stoppingWithClient(site);
    client.write("PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n");
    await settled(() => client.isEnded);
    client.write(request("GET /"));
    const response = await client.response();
    assert.deepEqual([response.text, response.headers.get("connection")], ["192.0.2.7", ["close"]]);
    client.end();
    await stopped;
  });

  it("drops a connection whose PROXY header does not come", async (t) => {
    const site = await still(t, () => "ok", { trustedProxies: ["127.0.0.1"], proxyProtocol: "required" });
    const { client, stopped } = await stoppingWithClient(site);
    site.clock.advance(LAST_REQUEST_MS);
    await client.ended();
    await stopped;
  });

  it("waits for a TLS handshake, and for the request behind it", async (t) => {
    const below: Socket[] = [];
    const site = await still(
      t,
      (r) => r.path,
      {},
      (socket, connections) => {
        connections.watchBelowTls(socket);
        below.push(socket);
      },
    );
    const client = await site.connect();
    await until(() => below.length === 1, "the handshake begins");
    const stopped = site.server.stop();
    await ending(site);
    site.clock.advance(LAST_TLS_REQUEST_MS - 1);
    await settled(() => client.isEnded);
    // The end of the handshake. Here the socket above TLS is the one below it.
    site.connections.accept(below[0]!);
    client.write(request("GET /late"));
    const response = await client.response();
    assert.deepEqual([response.text, response.headers.get("connection")], ["/late", ["close"]]);
    client.end();
    await stopped;
  });

  it("drops a connection whose TLS handshake does not end", async (t) => {
    const site = await still(
      t,
      () => "ok",
      {},
      (socket, connections) => connections.watchBelowTls(socket),
    );
    const client = await site.connect();
    const stopped = site.server.stop();
    await ending(site);
    assert.equal(client.isClosed, false);
    site.clock.advance(LAST_TLS_REQUEST_MS);
    await client.ended();
    await stopped;
  });

  it("tells a client of HTTP/2 to open no more streams, and serves those that are on their way: RFC 9113 §6.8", async (t) => {
    const { site } = await stillHttp2(t);
    const client = await Http2Client.connect(t, { port: site.port, tls: false });
    const lastStreams: number[] = [];
    client.session.on("goaway", (_code, lastStream) => lastStreams.push(lastStream));
    const stopped = site.server.stop();
    // Before the GOAWAY arrives.
    const late = client.request({ ":path": "/late" });
    await until(() => lastStreams.length === 1, "the first GOAWAY");
    assert.equal((await late).text, "/late");
    site.clock.advance(LAST_TLS_REQUEST_MS);
    await stopped;
    await client.closed;
    assert.equal(lastStreams[0], 2 ** 31 - 1);
  });

  it("drops a client of HTTP/2 that closes nothing itself, also with a grace without end", async (t) => {
    const { site } = await stillHttp2(t);
    const client = await site.connect();
    client.write(PREFACE);
    await until(() => client.peek().length > 0, "the settings of the server");
    const stopped = site.server.stop({ graceMs: Number.POSITIVE_INFINITY });
    await ending(site);
    site.clock.advance(LAST_TLS_REQUEST_MS);
    await until(() => client.isEnded, "the server has ended its side");
    site.clock.advance(site.server.closeTimeoutMs);
    await within(stopped, () => "the end of the stop");
  });

  it("tells nothing to a client of HTTP/2 whose connection is being dropped", async (t) => {
    const { site, opened } = await stillHttp2(t);
    const client = await Http2Client.connect(t, { port: site.port, tls: false });
    const [connection] = opened;
    connection!.destroy();
    // Node reports its end some turns later: until then it is open for the stop.
    assert.equal(site.connections.size, 1);
    connection!.announceClose();
    await client.closed;
  });

  it("takes the connections that the system has accepted already", async (t) => {
    const site = await serving(t, (r) => r.path);
    const sockets = Array.from({ length: 50 }, () => connect({ port: site.server.port, host: "127.0.0.1" }));
    const answers = sockets.map(async (socket) => {
      socket.write(request("GET /late\r\nConnection: close"));
      let text = "";
      for await (const bytes of socket) text += String(bytes);
      return text;
    });
    // Now all have asked the system for their connections, and the server has not seen any.
    await new Promise(process.nextTick);
    const stopped = site.server.stop();
    for (const answer of await Promise.all(answers)) assert.match(answer, /^HTTP\/1\.1 200 [\s\S]*\/late$/);
    await stopped;
  });

  for (const [most, maxMs, reason] of [
    ["all", Number.POSITIVE_INFINITY, false],
    ["not all, if it may not wait so long", 100, runtime === "node" ? false : `${runtime} takes them all in one turn`],
  ] as const) {
    it(`takes them also where each of them keeps the process busy: ${most}`, { skip: reason }, async (t) => {
      const site: Still = await still(
        t,
        () => "ok",
        {},
        (socket, connections) => {
          site.clock.advance(10);
          connections.accept(socket);
        },
      );
      const sockets = Array.from({ length: 50 }, () => connect({ port: site.port, host: "127.0.0.1" }));
      // The sockets that are not taken are reset.
      for (const socket of sockets) socket.on("error", () => {});
      t.after(() => {
        for (const socket of sockets) socket.destroy();
      });
      await new Promise(process.nextTick);
      await site.connections.allTaken(maxMs);
      assert.equal(site.connections.size === 50, most === "all");
    });
  }
});
