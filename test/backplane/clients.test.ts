// The types of the clients that backplanes take, checked against the real packages.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "@nats-io/transport-node";
import { Cluster, Redis } from "ioredis";
import { Redis as Valkey, Cluster as ValkeyCluster } from "iovalkey";
import { createClient, createClientPool, createCluster, createSentinel } from "redis";
import { natsBackplane, natsSessions } from "../../src/nats.ts";
import { redisBackplane, redisSessions } from "../../src/redis.ts";

const NODES = [{ host: "127.0.0.1", port: 1 }];
const NODE_REDIS = { rootNodes: [{ url: "redis://127.0.0.1:1" }] };
const LAZY = { lazyConnect: true };

// Nothing here is called: what these functions say is proven by compiling them.
describe("the type of a client", () => {
  it("redisBackplane accepts node-redis, ioredis and iovalkey", () => {
    const all = [
      () => redisBackplane(createClient()),
      () => redisBackplane(new Redis(LAZY)),
      () => redisBackplane(new Cluster(NODES, LAZY)),
      () => redisBackplane(new Valkey(LAZY)),
      () => redisBackplane(new ValkeyCluster(NODES, LAZY)),
    ];
    assert.equal(all.length, 5);
  });

  it("redisBackplane accepts no other client", () => {
    const all = [
      // @ts-expect-error: a Map is no client
      () => redisBackplane({ duplicate: () => new Map() }),
      // @ts-expect-error: neither sendCommand nor callBuffer
      () => redisBackplane({ duplicate: () => createClient() }),
      // @ts-expect-error: a cluster of node-redis needs a key for each command
      () => redisBackplane(createCluster(NODE_REDIS)),
      // @ts-expect-error: a pool has no duplicate
      () => redisBackplane(createClientPool()),
      // @ts-expect-error: a sentinel needs to know whether a command reads
      () => redisBackplane(createSentinel({ name: "a", sentinelRootNodes: NODES })),
      // @ts-expect-error: a URL
      () => redisBackplane("redis://127.0.0.1"),
      // @ts-expect-error: another broker's connection
      async () => redisBackplane(await connect()),
    ];
    assert.equal(all.length, 7);
  });

  it("natsBackplane accepts a connection of NATS, and nothing else", () => {
    const all = [
      async () => natsBackplane(await connect()),
      // @ts-expect-error: a promise of one
      () => natsBackplane(connect()),
      // @ts-expect-error: another broker's client
      () => natsBackplane(new Redis(LAZY)),
      // @ts-expect-error: methods are missing
      () => natsBackplane({ publish() {}, flush: async () => {} }),
    ];
    assert.equal(all.length, 4);
  });

  it("session stores accept the same clients, and no others", () => {
    const all = [
      () => redisSessions(createClient()),
      () => redisSessions(new Redis(LAZY)),
      () => redisSessions(new Cluster(NODES, LAZY)),
      () => redisSessions(new Valkey(LAZY)),
      async () => natsSessions(await connect()),
      // @ts-expect-error: another broker's connection
      async () => redisSessions(await connect()),
      // @ts-expect-error: another broker's client
      () => natsSessions(new Redis(LAZY)),
    ];
    assert.equal(all.length, 7);
  });
});
