// Properties of the Redis backplane alone: an emptied server that stays up, ids from the future, a cluster's slots, options.

import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { Cluster } from "ioredis";
import { createCluster } from "redis";
import type { Backplane, BackplaneListener } from "../../../src/backplane/backplane.ts";
import { redisBackplane } from "../../../src/backplane/redis/backplane.ts";
import type { RedisClient } from "../../../src/backplane/redis/client.ts";
import { RedisKeys } from "../../../src/backplane/redis/keys.ts";
import type { Broker } from "../../support/broker.ts";
import { needs } from "../../support/needs.ts";
import { REDIS_CLIENTS, redisCommand, startRedis } from "../../support/redis.ts";
import { until } from "../../support/wait.ts";

const KEEP = { size: 1000, ttlMs: 600_000 };
const skip = needs("redis-server");

describe("the backplane over Redis", { skip }, () => {
  let redis: Broker;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.stop());

  function open(t: TestContext, prefix: string, client?: RedisClient): Backplane {
    const backplane = redisBackplane(client ?? REDIS_CLIENTS.ioredis(redis.port), {
      prefix,
      aliveMs: 600,
      onError() {},
    });
    t.after(() => backplane.close());
    return backplane;
  }

  it("notices that a server was emptied while it stayed connected", async (t) => {
    const backplane = open(t, "flushed");
    const heard = listener();
    await backplane.subscribe("g", heard);
    const before = await backplane.publish("g", Buffer.from("before"), KEEP);
    await backplane.enter("g", { key: "ann", payload: Buffer.from("1") });
    await until(() => heard.texts.length === 1, "the first entry came");
    await redisCommand(redis.port, ["FLUSHALL"]);
    await until(() => heard.gaps === 1, "the gap is told");
    const after = await backplane.publish("g", Buffer.from("after"), KEEP);
    await until(() => heard.texts.length === 2, "the next entry came");
    assert.ok(backplane.compareIds(after, before) > 0);
    assert.deepEqual(
      (await backplane.present("g")).map(({ key }) => key),
      ["ann"],
    );
    assert.equal(heard.gaps, 1);
  });

  it("accepts a reply that arrived in time and is read late because the process was busy", async (t) => {
    const failures: unknown[] = [];
    const options = { prefix: "busy", timeoutMs: 1000, onError: (error: unknown) => void failures.push(error) };
    const backplane = redisBackplane(REDIS_CLIENTS.ioredis(redis.port), options);
    t.after(() => backplane.close());
    await backplane.publish("g", Buffer.from("first"), KEEP);
    const published = backplane.publish("g", Buffer.from("second"), KEEP);
    // Behind this microtask the command is written, and nothing is read until the work is done.
    process.nextTick(() => queueMicrotask(() => work(1500)));
    await published;
    assert.deepEqual(failures, []);
  });

  it("keeps ids in order over an emptied server whose clock is slow", async (t) => {
    const key = new RedisKeys("behind").stream("g");
    const future = "9999999999999-5";
    await redisCommand(redis.port, ["XADD", key, future, "p", "from the future"]);
    const backplane = open(t, "behind");
    const heard = listener();
    assert.equal(await backplane.subscribe("g", heard), future);
    // Known to this process, so that it notices the other generation.
    await backplane.publish("g", Buffer.from("one"), KEEP);
    await until(() => heard.texts.length === 1, "the first entry came");
    await redisCommand(redis.port, ["FLUSHALL"]);
    await until(() => heard.gaps === 1, "the gap is told");
    const id = await backplane.publish("g", Buffer.from("two"), KEEP);
    assert.ok(backplane.compareIds(id, future) > 0, id);
    await until(() => heard.texts.length === 2, "the next entry came");
    assert.deepEqual(heard.texts, ["one", "two"]);
  });

  it("leaves no key without an expiry", async (t) => {
    const prefix = "expiring";
    const backplane = open(t, prefix);
    await backplane.publish("g", Buffer.from("x"), { size: 10, ttlMs: 1000 });
    await backplane.enter("g", { key: "ann", payload: Buffer.from("1") });
    const keys = new RedisKeys(prefix);
    for (const key of [keys.stream("g"), keys.members("g")]) {
      const [ttl] = await redisCommand(redis.port, ["PTTL", key]);
      assert.ok(Number(ttl) > 0, key);
    }
    await backplane.close();
    const [left] = await redisCommand(redis.port, ["KEYS", `{${prefix}}:process:*`]);
    assert.deepEqual(left, []);
  });

  it("does not use the connection of the client that was passed in, and leaves it open", async (t) => {
    const client = REDIS_CLIENTS["node-redis"](redis.port) as unknown as {
      connect(): Promise<unknown>;
      ping(): Promise<string>;
      destroy(): void;
    };
    await client.connect();
    t.after(() => client.destroy());
    const backplane = redisBackplane(client as unknown as RedisClient, { prefix: "passed" });
    await backplane.publish("g", Buffer.from("x"), KEEP);
    await backplane.close();
    assert.equal(await client.ping(), "PONG");
  });

  it("refuses objects that are not clients, a cluster client of node-redis, and wrong options", () => {
    const client = REDIS_CLIENTS.ioredis(redis.port);
    const bad = { code: "BAD_OPTION" };
    assert.throws(() => redisBackplane({} as RedisClient), bad);
    const cluster = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${redis.port}` }] });
    assert.throws(() => redisBackplane(cluster as never), bad);
    for (const options of [{ prefix: "" }, { prefix: "a{b}" }, { timeoutMs: 0 }, { aliveMs: Number.NaN }]) {
      assert.throws(() => redisBackplane(client, options), bad);
    }
  });

  it("works on a Redis Cluster, through the Cluster of ioredis", async (t) => {
    const server = await startRedis("--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1");
    t.after(() => server.stop());
    const slots = Array.from({ length: 16_384 }, (_, slot) => String(slot));
    await redisCommand(server.port, ["CLUSTER", "ADDSLOTS", ...slots]);
    const client = new Cluster([{ host: "127.0.0.1", port: server.port }], { lazyConnect: true });
    const [a, b] = [open(t, "clustered", client), open(t, "clustered", client)];
    const heard = new Map(["one", "two", "three"].map((group) => [group, listener()]));
    for (const [group, one] of heard) await onceUp(() => a.subscribe(group, one));
    for (const group of heard.keys()) await onceUp(() => b.publish(group, Buffer.from(group), KEEP));
    for (const [group, one] of heard) {
      await until(() => one.texts.length === 1, `${group} came`);
      assert.deepEqual(one.texts, [group]);
    }
    await b.enter("one", { key: "bob", payload: Buffer.from("") });
    assert.equal((await a.present("one")).length, 1);
  });
});

/** Waits until the cluster's node and each client know that the cluster is up. */
async function onceUp(call: () => Promise<unknown>): Promise<void> {
  for (const deadline = Date.now() + 20_000; ; ) {
    try {
      await call();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function listener(): BackplaneListener & { readonly texts: string[]; gaps: number } {
  const texts: string[] = [];
  return {
    texts,
    gaps: 0,
    entry({ payload }) {
      texts.push(Buffer.from(payload).toString());
    },
    gap() {
      this.gaps += 1;
    },
  };
}

/** Keeps the process busy. */
function work(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}
