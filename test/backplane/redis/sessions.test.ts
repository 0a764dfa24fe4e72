// The session store over Redis, with each client library that it supports.

import { after, before } from "node:test";
import { redisSessions } from "../../../src/backplane/redis/sessions.ts";
import { sessionStoreContract } from "../../contract/session-store.ts";
import type { Broker } from "../../support/broker.ts";
import { needs } from "../../support/needs.ts";
import { REDIS_CLIENTS, type RedisLibrary, startRedis } from "../../support/redis.ts";
import { sessionStoresAway } from "../../support/session-stores-away.ts";

const skip = needs("redis-server");
let redis: Broker;
let services = 0;

before(async () => {
  if (skip === false) redis = await startRedis();
});
after(() => redis?.stop());

for (const library of Object.keys(REDIS_CLIENTS) as RedisLibrary[]) {
  sessionStoreContract(
    `over Redis with ${library}`,
    async () => {
      const prefix = `test ${services++}`;
      return {
        async open() {
          return redisSessions(REDIS_CLIENTS[library](redis.port), { prefix });
        },
        async close() {},
      };
    },
    {
      skip,
      away: sessionStoresAway({
        // Writes each change to its file before it answers.
        start: () => startRedis("--appendfsync", "always"),
        async open(port) {
          const store = redisSessions(REDIS_CLIENTS[library](port), { timeoutMs: 1000, onError() {} });
          return { store, close: () => store.close() };
        },
      }),
    },
  );
}
