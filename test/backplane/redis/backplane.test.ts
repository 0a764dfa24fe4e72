// The backplane over Redis, with each client library that it supports.

import { after, before } from "node:test";
import { redisBackplane } from "../../../src/backplane/redis/backplane.ts";
import { RedisKeys } from "../../../src/backplane/redis/keys.ts";
import { backplaneContract } from "../../contract/backplane.ts";
import type { Broker } from "../../support/broker.ts";
import { needs } from "../../support/needs.ts";
import { REDIS_CLIENTS, type RedisLibrary, redisCommand, startRedis } from "../../support/redis.ts";
import { spawnChild } from "../../support/spawn-child.ts";

const skip = needs("redis-server");
let redis: Broker;
let clusters = 0;

before(async () => {
  if (skip === false) redis = await startRedis();
});
after(() => redis?.stop());

for (const library of Object.keys(REDIS_CLIENTS) as RedisLibrary[]) {
  backplaneContract(
    `over Redis with ${library}`,
    async () => {
      const prefix = `test ${clusters++}`;
      const reports: unknown[] = [];
      const children: { kill(): Promise<void> }[] = [];
      const { port } = redis;
      return {
        slack: 200,
        reports,
        async open() {
          const client = REDIS_CLIENTS[library](port);
          return redisBackplane(client, { prefix, aliveMs: 2500, onError: (error) => reports.push(error) });
        },
        async pollute(group) {
          const key = new RedisKeys(prefix).stream(group);
          await redisCommand(port, ["XADD", key, "*", "x", "y"], ["XADD", key, "*", "p", "1", "q", "2"]);
        },
        async spawnMember(group, key) {
          const child = await spawnChild("backplane-child.ts", { library, port, prefix, aliveMs: 2500, group, key });
          children.push(child);
          return child;
        },
        async close() {
          for (const child of children) await child.kill();
        },
      };
    },
    { skip },
  );
}
