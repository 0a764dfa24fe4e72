// The client renews its identity before it ends: PROTOCOL.md, "The identity of a client". Over a network that the test plays.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Connection } from "../../src/client/connection.ts";
import { openSession } from "../../src/index.ts";
import { type TestServer, testServer } from "../../src/testing/index.ts";
import { Network, settle } from "./network.ts";

const HOUR_MS = 3_600_000;

/** A connection on a WebSocket whose identity ends in `expiresInMs`. */
async function opened(network: Network, expiresInMs: unknown): Promise<Connection> {
  const connection = network.connect();
  await settle();
  network.socket().open({ heartbeatMs: 2 ** 31 - 1, expiresInMs } as object);
  await settle();
  return connection;
}

/** The time of the next WebSocket, from now on; undefined if there is none within the limit. */
async function nextAttempt(network: Network, limitMs: number): Promise<number | undefined> {
  const { length } = network.sockets;
  const startedAt = network.clock.now();
  while (network.clock.now() - startedAt < limitMs) {
    await network.advance(Math.min(limitMs / 200, limitMs - (network.clock.now() - startedAt)));
    if (network.sockets.length > length) return network.clock.now() - startedAt;
  }
  return undefined;
}

describe("A client whose identity ends in an hour", () => {
  for (const [random, share] of [
    [0, 0.8],
    [0.5, 0.85],
    [0.999, 0.9],
  ] as const) {
    it(`asks again when ${100 * share} % of it are over, for the random number ${random}`, async () => {
      const network = new Network();
      network.random = random;
      await opened(network, HOUR_MS);
      const at = (await nextAttempt(network, HOUR_MS))!;
      assert.ok(at >= (share - 0.001) * HOUR_MS && at <= (share + 0.006) * HOUR_MS, `${at}`);
    });
  }

  it("has its messages on the old carrier until the new one has the session, and stays open", async () => {
    const network = new Network();
    const connection = await opened(network, HOUR_MS);
    const told: string[] = [];
    connection.onState((state) => told.push(state));
    connection.onMessage((message) => told.push(String(message)));
    const old = network.socket();
    await nextAttempt(network, HOUR_MS);
    const next = network.socket();
    assert.match(next.query, /session=T1&after=0/);
    old.hear("mone");
    assert.equal(old.isClosed, false);
    connection.send("on the old one");
    assert.ok(old.taken().includes("mon the old one"));
    // The server ends the old one first, and its end may arrive first.
    old.drop(4409, "replaced");
    connection.send("on the new one");
    next.open({ resumed: true, first: 2, received: 1, expiresInMs: HOUR_MS, heartbeatMs: 2 ** 31 - 1 });
    next.hear("mtwo");
    assert.ok(next.taken().includes("mon the new one"));
    assert.deepEqual(told, ["one", "two"]);
    assert.ok((await nextAttempt(network, HOUR_MS))! > 0.84 * HOUR_MS, "the new time counts");
  });

  it("asks again and again, each time later in the rest, if that changes nothing", async () => {
    const network = new Network();
    const lifeMs = HOUR_MS / 6;
    const connection = await opened(network, lifeMs);
    const endsAt = network.clock.now() + lifeMs;
    const left: number[] = [];
    const { length } = network.sockets;
    while (network.clock.now() < endsAt) {
      await network.advance(100);
      if (network.sockets.length - length <= left.length) continue;
      left.push(endsAt - network.clock.now());
      network.socket().open({ resumed: true, expiresInMs: left.at(-1)!, heartbeatMs: 2 ** 31 - 1 });
    }
    assert.ok(left.length >= 3 && left.length <= 6, `${left}`);
    for (const [n, ms] of left.entries()) if (n > 0) assert.ok(ms < left[n - 1]! / 4, `${left}`);
    assert.equal(connection.state, "open");
  });

  it("keeps its carrier if the new one fails, and tries again", async () => {
    const network = new Network();
    const connection = await opened(network, HOUR_MS);
    const told: string[] = [];
    connection.onState((state) => told.push(state));
    const old = network.socket();
    await nextAttempt(network, HOUR_MS);
    network.socket().drop();
    assert.ok((await nextAttempt(network, HOUR_MS))! > 0);
    // Silence until the time limit.
    await network.advance(11_000);
    assert.equal(old.isClosed, false);
    old.hear("mstill");
    assert.deepEqual(told, []);
    assert.ok((await nextAttempt(network, HOUR_MS))! > 0);
  });

  it("waits 10 s for the new carrier: the network may be slow", async () => {
    const network = new Network();
    const connection = await opened(network, HOUR_MS);
    await nextAttempt(network, HOUR_MS);
    const next = network.socket();
    await network.advance(9900);
    assert.equal(next.isClosed, false);
    next.open({ resumed: true, expiresInMs: HOUR_MS });
    assert.equal(connection.state, "open");
    assert.equal(network.sockets.filter(({ isClosed }) => !isClosed).length, 1);
  });

  it("does not ask for the headers again once it is closed, and leaves no timer", async () => {
    const network = new Network();
    const connection = await opened(network, HOUR_MS);
    connection.close();
    network.socket().drop(1000);
    await settle();
    assert.equal(network.clock.pending, 0);
    assert.equal(await nextAttempt(network, HOUR_MS), undefined);
  });

  it("leaves no timer when the server closes it", async () => {
    const network = new Network();
    const connection = await opened(network, HOUR_MS);
    network.socket().say({ type: "close", code: 4401, reason: "identity expired" });
    await settle();
    const { by, code, reason, name } = await connection.closed;
    assert.deepEqual(
      { by, code, reason, name },
      { by: "server", code: 4401, reason: "identity expired", name: "application" },
    );
    assert.equal(network.clock.pending, 0);
  });

  it("stops asking when the server says that it does not end any more", async () => {
    const network = new Network();
    await opened(network, HOUR_MS);
    await nextAttempt(network, HOUR_MS);
    network.socket().open({ resumed: true, heartbeatMs: 2 ** 31 - 1 });
    assert.equal(await nextAttempt(network, 3 * HOUR_MS), undefined);
  });
});

describe("A client whose server says of its identity", () => {
  for (const expiresInMs of [undefined, null, "1000", 0, -1, [1000], {}]) {
    it(`${JSON.stringify(expiresInMs)} does not renew it`, async () => {
      const network = new Network();
      const connection = await opened(network, expiresInMs);
      assert.equal(connection.state, "open");
      assert.equal(await nextAttempt(network, HOUR_MS), undefined);
    });
  }

  for (const expiresInMs of [2 ** 31, 2 ** 53, 1e300]) {
    it(`${expiresInMs} ms does not renew it at once`, async () => {
      const network = new Network();
      await opened(network, expiresInMs);
      assert.equal(await nextAttempt(network, 24 * HOUR_MS), undefined);
    });
  }

  it("999 ms lets it end: renewals are a second apart", async () => {
    const network = new Network();
    await opened(network, 999);
    assert.equal(await nextAttempt(network, 5000), undefined);
  });
});

describe("A client on a less preferred carrier", () => {
  it("looks for a better one as often as without renewals", async () => {
    const counts: number[] = [];
    for (const expiresInMs of [undefined, 20_000]) {
      const app: TestServer = testServer((request) =>
        openSession(request, {}, { expiresAt: expiresInMs && app.clock.now() + expiresInMs }),
      );
      let tries = 0;
      const connection = app.connect("/", { debug: (line) => (tries += line.endsWith("websocket: trying") ? 1 : 0) });
      app.network.block("websocket");
      await app.advance(1_000_000);
      assert.equal(connection.transport, "sse");
      counts.push(tries);
      await app.stop();
    }
    // At the beginning, and after 30 s, 90 s, 210 s, 450 s and 930 s.
    assert.deepEqual(counts, [6, 6]);
  });
});
