// Properties of the session store over Redis alone: expiries of keys, an emptied server that stays up, bytes on their way, a
// cluster's slot, options.

import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { Cluster, Redis as IoRedis } from "ioredis";
import { createCluster } from "redis";
import type { RedisClient } from "../../../src/backplane/redis/client.ts";
import { RedisKeys } from "../../../src/backplane/redis/keys.ts";
import { type RedisSessionsOptions, redisSessions } from "../../../src/backplane/redis/sessions.ts";
import type { SessionStore } from "../../../src/backplane/session-store.ts";
import type { Broker } from "../../support/broker.ts";
import { needs } from "../../support/needs.ts";
import { REDIS_CLIENTS, redisCommand, startRedis } from "../../support/redis.ts";

const TTL_MS = 600_000;
const skip = needs("redis-server");

describe("the session store over Redis", { skip }, () => {
  let redis: Broker;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());

  function open(t: TestContext, options: RedisSessionsOptions, client?: RedisClient): SessionStore {
    const store = redisSessions(client ?? REDIS_CLIENTS.ioredis(redis.port), { onError() {}, ...options });
    t.after(() => store.close());
    return store;
  }

  it("leaves no key without an expiry but the secret, and none of a session that is over", async (t) => {
    const prefix = "expiring";
    const store = open(t, { prefix });
    for (const token of ["stored", "taken", "claimed", "over"]) await store.put(token, "A", Buffer.from("1"), TTL_MS);
    for (const token of ["taken", "claimed"]) await store.take(token, "B", { ttlMs: TTL_MS });
    await store.claim("claimed", "B", TTL_MS);
    await store.renew(["renewed"], "A", TTL_MS);
    await store.forget("over", "A");
    await store.announce("A", "here", TTL_MS);
    await store.announce("B", "there", TTL_MS);
    await store.withdraw("B");
    await store.secret();
    const keys = new RedisKeys(prefix);
    const [found] = await redisCommand(redis.port, ["KEYS", `{${prefix}}*`]);
    const sessions = ["stored", "taken", "claimed", "renewed"].map((token) => keys.session(token));
    assert.deepEqual((found as string[]).sort(), [...sessions, keys.address("A"), keys.secret].sort());
    for (const key of [...sessions, keys.address("A")]) {
      const [ttl] = await redisCommand(redis.port, ["PTTL", key]);
      assert.ok(Number(ttl) > 0 && Number(ttl) <= TTL_MS, key);
    }
  });

  it("deletes the snapshot of a claimed session", async (t) => {
    const store = open(t, { prefix: "deleting" });
    await store.put("t", "A", new Uint8Array(1_000_000), TTL_MS);
    await store.take("t", "B", { ttlMs: TTL_MS });
    await store.claim("t", "B", TTL_MS);
    const [bytes] = await redisCommand(redis.port, ["MEMORY", "USAGE", new RedisKeys("deleting").session("t")]);
    assert.ok(Number(bytes) < 1000, String(bytes));
  });

  it("goes on with the same secret when a server was emptied while it stayed connected", async (t) => {
    const emptied = await startRedis();
    t.after(() => emptied.stop());
    const store = open(t, {}, REDIS_CLIENTS.ioredis(emptied.port));
    const secret = await store.secret();
    await store.put("t", "A", Buffer.from("1"), TTL_MS);
    await redisCommand(emptied.port, ["FLUSHALL"]);
    assert.equal(await store.secret(), secret);
    assert.deepEqual(await store.take("t", "B", { ttlMs: TTL_MS }), { type: "unknown" });
    assert.deepEqual(await store.renew(["t"], "A", TTL_MS), []);
    const owned = { type: "owned", owner: "A", isClaimed: true };
    assert.deepEqual(await store.take("t", "B", { ttlMs: TTL_MS }), owned);
  });

  it("has no more snapshots on their way than maxPendingBytes, of 10,000 that are given at once", async (t) => {
    const size = 1024;
    const counts = { now: 0, most: 0, calls: 0 };
    const store = open(t, { prefix: "counted", maxPendingBytes: 100_000 }, counted(redis.port, counts));
    const snapshot = new Uint8Array(size);
    const stored = await Promise.all(
      Array.from({ length: 10_000 }, (_, i) => store.put(`session ${i}`, "A", snapshot, TTL_MS)),
    );
    assert.ok(stored.every(Boolean));
    assert.equal(counts.calls, 10_000);
    assert.ok(counts.most <= 100_000, `${counts.most} bytes`);
    // The limit is used: each waits for many others, not for one.
    assert.ok(counts.most > 50 * size, `${counts.most} bytes`);
  });

  it("answers small calls while snapshots fill the limit", async (t) => {
    const store = open(t, { prefix: "mixed", maxPendingBytes: 50_000 });
    const puts = Array.from({ length: 200 }, (_, i) => store.put(`${i}`, "A", new Uint8Array(20_000), TTL_MS));
    const large = store.put("large", "A", new Uint8Array(16 * 1024 * 1024), TTL_MS);
    const calls = Array.from({ length: 100 }, (_, i) => store.take(`unknown ${i}`, "B", { ttlMs: TTL_MS }));
    for (const { type } of await Promise.all(calls)) assert.equal(type, "unknown");
    assert.ok((await Promise.all([...puts, large])).every(Boolean));
  });

  it("rejects with BACKPLANE_UNAVAILABLE if something else has the key of a session", async (t) => {
    const store = open(t, { prefix: "foreign" });
    const key = new RedisKeys("foreign").session("t");
    await redisCommand(redis.port, ["SET", key, "foreign"]);
    const unavailable = { code: "BACKPLANE_UNAVAILABLE" };
    await assert.rejects(store.put("t", "A", Buffer.from("1"), TTL_MS), unavailable);
    await assert.rejects(store.take("t", "A", { ttlMs: TTL_MS }), unavailable);
    await assert.rejects(store.claim("t", "A", TTL_MS), unavailable);
    assert.deepEqual(await redisCommand(redis.port, ["GET", key]), ["foreign"]);
    assert.equal(await store.put("u", "A", Buffer.from("1"), TTL_MS), true);
  });

  it("refuses objects that are not clients, a cluster client of node-redis, and wrong options", () => {
    const client = REDIS_CLIENTS.ioredis(redis.port);
    const bad = { code: "BAD_OPTION", message: /redisSessions/ };
    for (const value of [undefined, null, 5, {}, { duplicate() {} }]) {
      assert.throws(() => redisSessions(value as never), bad);
    }
    const cluster = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${redis.port}` }] });
    assert.throws(() => redisSessions(cluster as never), bad);
    assert.throws(() => redisSessions(client, { aliveMs: 5 } as never), { code: "BAD_OPTION", message: /aliveMs/ });
    const options = [{ prefix: "" }, { prefix: "a{b}" }, { timeoutMs: 0 }, { maxPendingBytes: 0 }, { onError: 5 }];
    for (const option of options as RedisSessionsOptions[]) {
      const [name] = Object.keys(option);
      assert.throws(() => redisSessions(client, option), { code: "BAD_OPTION", message: new RegExp(name!) });
    }
  });

  it("works on a Redis Cluster, through the Cluster of ioredis", async (t) => {
    const server = await startRedis("--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1");
    t.after(() => server.stop());
    const slots = Array.from({ length: 16_384 }, (_, slot) => String(slot));
    await redisCommand(server.port, ["CLUSTER", "ADDSLOTS", ...slots]);
    const client = new Cluster([{ host: "127.0.0.1", port: server.port }], { lazyConnect: true });
    const [a, b] = [open(t, {}, client), open(t, {}, client)];
    const tokens = Array.from({ length: 20 }, (_, i) => `session ${i}`);
    await onceUp(() => a.secret());
    for (const token of tokens) assert.equal(await a.put(token, "A", Buffer.from(token), TTL_MS), true);
    for (const token of tokens) assert.equal((await onceUp(() => b.take(token, "B", { ttlMs: TTL_MS }))).type, "taken");
    for (const token of tokens) assert.equal(await b.claim(token, "B", TTL_MS), true);
    assert.deepEqual(await b.renew(tokens, "B", TTL_MS), []);
    assert.deepEqual(await a.renew(tokens, "A", TTL_MS), tokens);
  });
});

/** A client whose duplicates count the bytes of the snapshots that have no reply yet. */
function counted(port: number, counts: { now: number; most: number; calls: number }): RedisClient {
  const client = new IoRedis(port, "127.0.0.1", { lazyConnect: true });
  return {
    callBuffer: client.callBuffer.bind(client) as never,
    duplicate(...args: never[]) {
      const connection = client.duplicate(...args);
      const send = connection.callBuffer.bind(connection) as (...args: unknown[]) => Promise<unknown>;
      connection.callBuffer = (async (...args: unknown[]) => {
        const bytes = args.reduce((sum: number, arg) => sum + (Buffer.isBuffer(arg) ? arg.length : 0), 0);
        counts.now += bytes;
        counts.calls += bytes > 0 ? 1 : 0;
        counts.most = Math.max(counts.most, counts.now);
        const reply = await send(...args);
        counts.now -= bytes;
        return reply;
      }) as never;
      return connection;
    },
  };
}

/** Waits until the cluster's node and each client know that the cluster is up. */
async function onceUp<T>(call: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + 20_000; ; ) {
    try {
      return await call();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
