// The end of a server: design §5 `stop()`, http-kit §1.11 and its tests of stopping.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { OPCODE } from "../../src/codec/ws-frame.ts";
import { type Channel, type CloseStatus, type Server, serve, withChannel } from "../../src/index.ts";
import type { RawClient } from "../support/raw-client.ts";
import { request, type Site, serving } from "../support/serving.ts";
import { deferred, settled, turn, until } from "../support/wait.ts";
import { frame, textFrame, WsClient } from "../support/ws-client.ts";

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

/** Returns the system's answer to a new connection. */
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
    // Connections that the system has accepted before are still taken: last-requests.test.ts.
    await settled(() => client.isEnded);
    assert.equal(await connecting(site.server), "ECONNREFUSED");
    client.end();
    await stopped;
  });

  it("ends idle connections", async (t) => {
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
    await until(() => site.server.stats().channels.stream === 1, "it is parked");
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
    const { connections, requests, channels } = site.server.stats();
    assert.deepEqual([connections, requests, channels], [0, 15, { websocket: 0, sse: 0, stream: 0, poll: 0 }]);
  });

  it("waits for the close handlers, though one receiver never comes back", async (t) => {
    let closes = 0;
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        channel.onMessage(() => new Promise(() => {}));
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

  it("lets a stream that is being sent finish", async (t) => {
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

  it("a stopping server still answers requests that had arrived and were not read yet", async (t) => {
    const site = await serving(t, (r) => r.path);
    const used = await site.connect();
    used.write(request("GET /first"));
    await used.response();
    const fresh = await site.connect();
    await until(() => site.server.stats().connections === 2, "both are there");
    // In one turn: the bytes are in the system when the stop begins.
    for (const client of [used, fresh]) client.write(request("GET /late"));
    const stopped = site.server.stop();
    for (const client of [used, fresh]) {
      assert.equal((await client.response()).text, "/late");
      await client.ended();
      client.end();
    }
    await stopped;
  });

  it("a stopping server still answers a request of which half the head has arrived, and none after it", async (t) => {
    const site = await serving(t, async (r) => `${r.path} ${await r.text()}`);
    const client = await site.connect();
    client.write("POST /half HTTP/1.1\r\nHost");
    await settled(() => client.peek().length);
    const stopped = site.server.stop();
    await settled(() => client.isEnded);
    client.write(`: x\r\nContent-Length: 4\r\n\r\nbody${request("GET /never")}`);
    const response = await client.response();
    assert.deepEqual([response.text, response.headers.get("connection")], ["/half body", ["close"]]);
    await client.ended();
    client.end();
    await stopped;
    assert.equal(site.server.stats().requests, 1);
  });

  it("lets a body that is still coming finish", async (t) => {
    const site = await serving(t, (r) => r.text());
    const client = await site.connect();
    client.write(request("POST / HTTP/1.1\r\nContent-Length: 10", "first"));
    await until(() => site.server.stats().requests === 1, "the handler reads");
    const stopped = site.server.stop();
    await settled(() => client.isEnded);
    client.write(" half");
    assert.equal((await client.response()).text, "first half");
    client.end();
    await stopped;
  });

  it("closes a WebSocket in the middle of an incoming message, which is not delivered", async (t) => {
    const log: unknown[] = [];
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        channel.onMessage((message) => log.push(message));
        channel.onClose(({ by, code }) => log.push(by, code));
      }),
    );
    const client = await WsClient.open(t, site.target);
    client.send("whole");
    client.raw.write(textFrame("first fragment, ", false));
    const last = frame(OPCODE.CONTINUATION, "never");
    client.raw.write(last.subarray(0, 3));
    await until(() => log.length === 1, "the first message");
    const stopped = site.server.stop();
    assert.equal((await client.closed()).code, 1001);
    // §5.5.1: a message that was begun may still be ended before the close frame is answered.
    client.raw.write(last.subarray(3));
    client.close(1001);
    await client.ended();
    client.raw.end();
    await stopped;
    assert.deepEqual(log, ["whole", "server", 1001]);
  });

  it("closes a WebSocket in the middle of an outgoing message only when that is whole", async (t) => {
    const gate = deferred();
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        channel.send(
          (async function* () {
            yield "first ";
            await gate.promise;
            yield "second";
          })(),
        );
      }),
    );
    const client = await WsClient.open(t, site.target);
    assert.equal((await client.frame()).payload.toString(), "first ");
    const stopped = site.server.stop();
    await settled(() => client.raw.peek().length);
    gate.resolve();
    assert.equal((await client.frame()).payload.toString(), "second");
    assert.deepEqual(await client.frame(), { opcode: 0, fin: true, payload: Buffer.alloc(0) });
    assert.equal((await client.closed()).code, 1001);
    client.close(1001);
    client.raw.end();
    await stopped;
  });

  it("ends event streams behind unsent events, also those that are full", async (t) => {
    const gate = deferred();
    const site = await serving(t, (r) =>
      withChannel(
        r,
        (channel) => {
          channel.send(
            (async function* () {
              yield "first";
              await gate.promise;
              yield "second";
            })(),
            false,
          );
          // The stream is not counted; these are, and make every further send one too many.
          if (r.path === "/full") while (channel.send("more", false));
        },
        { maxBufferedBytes: 100, onOverflow: "drop" },
      ),
    );
    for (const path of ["/", "/full"]) {
      const client = await site.connect();
      client.write(request(`GET ${path} HTTP/1.1\r\nAccept: text/event-stream`));
      await client.head();
      assert.equal((await client.chunk())?.toString(), "data: first\n\n");
      t.after(() => client.destroy());
      void client.until(() => client.peek().includes("retry"), "the hint").then(() => client.end());
    }
    await until(() => site.server.stats().channels.sse === 2, "both are there");
    const stopped = site.server.stop();
    gate.resolve();
    await stopped;
  });

  it("tells each client its own time to come back, from one second to three", async (t) => {
    const { site } = await parking(t);
    const streams: RawClient[] = [];
    const polls: RawClient[] = [];
    for (let i = 0; i < 12; i++) {
      const [stream, poll] = [await site.connect(), await site.connect()];
      stream.write(request("GET / HTTP/1.1\r\nAccept: text/event-stream"));
      poll.write(request("GET /"));
      streams.push(stream);
      polls.push(poll);
    }
    await until(() => site.server.stats().requests === 24, "all are there");
    const stopped = site.server.stop();
    const retries = new Set<number>();
    for (const stream of streams) {
      retries.add(Number(/^retry: ?(\d+)\n\n$/.exec((await stream.response()).text)![1]));
      stream.end();
    }
    for (const poll of polls) {
      const seconds = Number((await poll.response()).headers.get("retry-after")![0]);
      assert.ok([1, 2, 3].includes(seconds), `${seconds}`);
      poll.end();
    }
    await stopped;
    for (const ms of retries) assert.ok(Number.isInteger(ms) && ms >= 1000 && ms <= 3000, `${ms}`);
    assert.ok(retries.size > 1, "they differ");
  });

  it("drops a client that does not read, with its unsent bytes, after `graceMs`", async (t) => {
    const closed: CloseStatus[] = [];
    const site = await serving(t, (r) =>
      withChannel(
        r,
        (channel) => {
          channel.onClose((status) => closed.push(status));
          channel.send("x".repeat(20_000_000), false);
        },
        { maxBufferedBytes: 1e9 },
      ),
    );
    const ws = await WsClient.open(t, site.target);
    ws.raw.pause();
    const stream = await site.connect();
    stream.pause();
    stream.write(request("GET /"));
    await until(() => site.server.stats().requests === 2, "both are there");
    await site.server.stop({ graceMs: 30 });
    assert.deepEqual([closed.length, site.server.stats().connections], [2, 0]);
  });
});
