// What the tests of faults need to know of each broker: how to start it, and a process that uses it.

import type { Backplane } from "../../src/group/backplane.ts";
import { natsBackplane } from "../../src/group/backplane-nats.ts";
import { redisBackplane } from "../../src/group/backplane-redis.ts";
import type { Broker } from "./broker.ts";
import { connectNats, startNats } from "./nats.ts";
import { REDIS_CLIENTS, startRedis } from "./redis.ts";

export type BrokerName = "redis" | "nats";

export interface BrokerKit {
  start(): Promise<Broker>;
  /** With short patience: no answer in three seconds is a dead connection. */
  open(port: number, maxPendingBytes?: number): Promise<OpenedBackplane>;
}

export interface OpenedBackplane {
  readonly backplane: Backplane;
  /** The backplane, and what the caller of it brought. */
  close(): Promise<void>;
}

export const BROKER_KITS: Record<BrokerName, BrokerKit> = {
  redis: {
    start: startRedis,
    async open(port, maxPendingBytes = 1_000_000) {
      const client = REDIS_CLIENTS.ioredis(port);
      const backplane = redisBackplane(client, { timeoutMs: 3000, maxPendingBytes, onError: () => {} });
      return { backplane, close: () => backplane.close() };
    },
  },
  nats: {
    start: startNats,
    async open(port, maxPendingBytes = 1_000_000) {
      const connection = await connectNats(port);
      const backplane = natsBackplane(connection, { timeoutMs: 3000, maxPendingBytes, onError: () => {} });
      return {
        backplane,
        async close() {
          await backplane.close();
          await connection.close();
        },
      };
    },
  },
};
