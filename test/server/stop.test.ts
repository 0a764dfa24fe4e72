// The end of a server: design §5 `stop()`, http-kit §1.11 and its tests of stopping.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { type Channel, type CloseStatus, type Server, serve, withChannel } from "../../src/index.ts";
import type { RawClient } from "../support/raw-client.ts";
import { request, type Site, serving } from "../support/serving.ts";
import { deferred, settled, turn, until } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

/** A site whose every request parks a channel; the statuses of those that have closed. */
async function parking(t: TestContext): Promise<{ site: Site; channels: Channel[]; closed: CloseStatus[] }> {
  const channels: Channel[] = [];
  const closed: CloseStatus[] = [];
  const site = await serving(t, (r) =>
    withChannel(r, (channel) => {
      channels.push(channel);
      channel.onClose((status) => closed.push(status));
      if (r.path === "/stream") channel.send("begun", false);
    }),
  );
  return { site, channels, closed };
}

/** What the system says to a new connection. */
async function connecting(server: Server): Promise<unknown> {
  const socket = connect(server.port, "127.0.0.1");
  const answer = await new Promise((resolve) => {
    socket.on("connect", () => resolve("connected")).on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  socket.destroy();
  return answer;
}

describe("a server", () => {
  it("goes from running over stopping to stopped", async (t) => {
    const gate = deferred();
    const site = await serving(t, () => gate.promise.then(() => "done"));
    const { server } = site;
    assert.equal(server.status, "running");
    const client = await site.connect();
    client.write(request("GET /"));
    await until(() => server.stats().requests === 1, "the handler runs");
    const stopped = server.stop();
    assert.equal(server.status, "stopping");
    gate.resolve();
    await client.response();
    client.end();
    await stopped;
    assert.equal(server.status, "stopped");
    assert.equal(server.stats().connections, 0);
  });

  it("gives the same promise to everyone who stops it", async (t) => {
    const { server } = await serving(t, () => "ok");
    const first = server.stop();
    assert.equal(server.stop({ graceMs: 0 }), first);
    await first;
    assert.equal(server.stop(), first);
  });

  it("keeps its port's number after it has stopped, and frees the port", async (t) => {
    const { server } = await serving(t, () => "ok");
    const { port } = server;
    await server.stop();
    assert.equal(server.port, port);
    const second = await serve(() => "second", { port, host: "127.0.0.1" });
    await second.stop();
  });

  it("stops at the end of an `await using`", async () => {
    const server = await serve(() => "ok", { port: 0, host: "127.0.0.1" });
    await server[Symbol.asyncDispose]();
    assert.equal(server.status, "stopped");
  });

  it("rejects when its port is taken", async (t) => {
    const { server } = await serving(t, () => "ok");
    await assert.rejects(
      serve(() => "no", { port: server.port, host: "127.0.0.1" }),
      { code: "EADDRINUSE" },
    );
  });

  for (const [name, value] of [
    ["maxBodyBytes", -1],
    ["maxMessageBytes", Number.NaN],
    ["closeTimeoutMs", "5"],
    ["serverHeader", "a\r\nb"],
  ] as const) {
    it(`rejects with BAD_OPTION for ${name}: ${JSON.stringify(value)}`, async () => {
      await assert.rejects(
        serve(() => "no", { port: 0, [name]: value } as object),
        { code: "BAD_OPTION" },
      );
    });
  }
});

describe("a server that is stopping", () => {
  it("takes no new connections", async (t) => {
    const { site } = await parking(t);
    const client = await site.connect();
    client.write(request("GET /"));
    const stopped = site.server.stop();
    assert.equal(await connecting(site.server), "ECONNREFUSED");
    client.end();
    await stopped;
  });

  it("ends idle connections at once", async (t) => {
    const site = await serving(t, () => "ok");
    const fresh = await site.connect();
    const used = await site.connect();
    used.write(request("GET /"));
    await used.response();
    const stopped = site.server.stop({ graceMs: 4000 });
    await Promise.all([fresh.ended(), used.ended()]);
    fresh.end();
    used.end();
    await stopped;
  });

  it("lets running handlers finish, and then closes (test-graceful-stop-responds)", async (t) => {
    const gate = deferred();
    const site = await serving(t, async (r) => {
      await gate.promise;
      return r.path;
    });
    const client = await site.connect();
    client.write(request("GET /a") + request("GET /never"));
    await until(() => site.server.stats().requests === 1, "the handler runs");
    const stopped = site.server.stop();
    await turn();
    gate.resolve();
    const response = await client.response();
    assert.deepEqual([response.text, response.headers.get("connection")], ["/a", ["close"]]);
    await client.ended();
    client.end();
    await stopped;
    assert.equal(site.server.stats().requests, 1);
  });

  it("drops what still runs after `graceMs` (test-graceful-stop-kills-long)", async (t) => {
    const site = await serving(t, () => new Promise(() => {}));
    const client = await site.connect();
    client.write(request("GET /"));
    await until(() => site.server.stats().requests === 1, "the handler runs");
    await site.server.stop({ graceMs: 20 });
    assert.equal(site.server.status, "stopped");
    await client.ended();
  });

  it("drops all at once with `graceMs: 0` (test-immediate-stop-kills-inflight)", async (t) => {
    const { site, closed } = await parking(t);
    const busy = await site.connect();
    busy.write(request("GET /stream"));
    const ws = await WsClient.open(t, site.target);
    await until(() => site.server.stats().requests === 2, "both are there");
    await site.server.stop({ graceMs: 0 });
    assert.deepEqual([closed.length, site.server.stats().connections], [2, 0]);
    await busy.until(() => busy.isEnded, "the end of the connection");
    await ws.raw.until(() => ws.raw.isEnded, "the end of the connection");
  });

  it("answers parked polls with 503 and Retry-After", async (t) => {
    const { site, closed } = await parking(t);
    const client = await site.connect();
    client.write(request("GET /"));
    await until(() => site.server.stats().channels.http === 1, "it is parked");
    const stopped = site.server.stop();
    const response = await client.response();
    assert.equal(response.status, 503);
    assert.match(response.headers.get("retry-after")![0]!, /^\d+$/);
    assert.deepEqual(response.headers.get("connection"), ["close"]);
    await client.ended();
    client.end();
    await stopped;
    assert.deepEqual(
      closed.map(({ by }) => by),
      ["server"],
    );
  });

  it("ends streams with their last chunk", async (t) => {
    const { site, closed } = await parking(t);
    const client = await site.connect();
    client.write(request("GET /stream"));
    await client.head();
    assert.equal((await client.chunk())?.toString(), "begun");
    const stopped = site.server.stop();
    assert.equal(await client.chunk(), undefined);
    await client.ended();
    client.end();
    await stopped;
    assert.deepEqual(
      closed.map(({ by }) => by),
      ["server"],
    );
  });

  for (const path of ["/", "/stream"]) {
    it(`ends event streams with a hint when to come back, ${path === "/" ? "before" : "after"} their first event`, async (t) => {
      const { site, closed } = await parking(t);
      const client = await site.connect();
      client.write(request(`GET ${path} HTTP/1.1\r\nAccept: text/event-stream`));
      await until(() => site.server.stats().channels.sse === 1, "it is there");
      const stopped = site.server.stop();
      const response = await client.response();
      assert.equal(response.status, 200);
      assert.match(response.text, /^retry: ?\d+\n\n$/m);
      await client.ended();
      client.end();
      await stopped;
      assert.deepEqual(
        closed.map(({ by }) => by),
        ["server"],
      );
    });
  }

  it("closes WebSockets with 1001, and waits for their answer (http-kit 1.11, defect: no close frame)", async (t) => {
    const { site, closed } = await parking(t);
    const client = await WsClient.open(t, site.target);
    await until(() => site.server.stats().channels.websocket === 1, "it is there");
    const stopped = site.server.stop();
    assert.equal((await client.closed()).code, 1001);
    client.close(1001);
    await client.ended();
    client.raw.end();
    await stopped;
    assert.deepEqual(
      closed.map(({ by, code, name }) => ({ by, code, name })),
      [{ by: "server", code: 1001, name: "going-away" }],
    );
  });

  it("drops a WebSocket that does not answer, after `graceMs`", async (t) => {
    const { site, closed } = await parking(t);
    const client = await WsClient.open(t, site.target);
    await site.server.stop({ graceMs: 20 });
    assert.equal(closed.length, 1);
    assert.equal((await client.closed()).code, 1001);
    await client.raw.until(() => client.raw.isEnded, "the end of the connection");
  });

  it("has run every close handler when it has stopped", async (t) => {
    const { site, closed } = await parking(t);
    const clients: RawClient[] = [];
    for (let i = 0; i < 5; i++) {
      for (const path of ["/", "/stream"]) {
        const client = await site.connect();
        client.write(request(`GET ${path}`));
        clients.push(client);
      }
      clients.push((await WsClient.open(t, site.target)).raw);
    }
    await until(() => site.server.stats().requests === 15, "all are there");
    await site.server.stop({ graceMs: 50 });
    assert.equal(closed.length, 15);
    assert.deepEqual(site.server.stats(), {
      connections: 0,
      requests: 15,
      channels: { websocket: 0, sse: 0, http: 0, poll: 0 },
    });
  });

  it("waits for the close handlers, though one receiver never comes back", async (t) => {
    let closes = 0;
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        channel.onReceive(() => new Promise(() => {}));
        channel.onClose(() => void (closes += 1));
      }),
    );
    const client = await WsClient.open(t, site.target);
    client.send("stuck");
    await turn();
    await site.server.stop({ graceMs: 20 });
    assert.equal(closes, 1);
  });

  it("says goodbye to a channel that a running handler opens meanwhile", async (t) => {
    const gate = deferred();
    const site = await serving(t, async (r) => {
      await gate.promise;
      return withChannel(r, () => {});
    });
    const client = await site.connect();
    client.write(request("GET /"));
    await until(() => site.server.stats().requests === 1, "the handler runs");
    const stopped = site.server.stop();
    gate.resolve();
    assert.equal((await client.response()).status, 503);
    client.end();
    await stopped;
  });

  it("lets a stream that is being sent come to its end", async (t) => {
    const gate = deferred();
    const site = await serving(t, async () =>
      (async function* () {
        yield "first ";
        await gate.promise;
        yield "second";
      })(),
    );
    const client = await site.connect();
    client.write(request("GET /"));
    await client.head();
    assert.equal((await client.chunk())?.toString(), "first ");
    const stopped = site.server.stop();
    await settled(() => client.peek().length);
    gate.resolve();
    assert.equal((await client.chunk())?.toString(), "second");
    assert.equal(await client.chunk(), undefined);
    client.end();
    await stopped;
  });
});
