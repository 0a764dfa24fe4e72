// The parts of the fault tests that differ between brokers: how to start one, and a process that uses it.

import type { Backplane } from "../../src/backplane/backplane.ts";
import { natsBackplane } from "../../src/backplane/nats/backplane.ts";
import { redisBackplane } from "../../src/backplane/redis/backplane.ts";
import type { Broker } from "./broker.ts";
import { connectNats, startNats } from "./nats.ts";
import { REDIS_CLIENTS, startRedis } from "./redis.ts";

export type BrokerName = "redis" | "nats";

export interface BrokerKit {
  start(): Promise<Broker>;
  open(port: number, options?: KitOptions): Promise<OpenedBackplane>;
}

export interface KitOptions {
  /** @default 1 MB */
  readonly maxPendingBytes?: number;
  /** No answer for so long is a dead connection: short, where one is to be found. @default 3000 */
  readonly timeoutMs?: number;
  /** @default that of the backplane */
  readonly aliveMs?: number;
}

export interface OpenedBackplane {
  readonly backplane: Backplane;
  /** The backplane, and what the caller of it brought. */
  close(): Promise<void>;
}

export const BROKER_KITS: Record<BrokerName, BrokerKit> = {
  redis: {
    start: startRedis,
    async open(port, { maxPendingBytes = 1_000_000, timeoutMs = 3000, aliveMs } = {}) {
      const client = REDIS_CLIENTS.ioredis(port);
      const backplane = redisBackplane(client, { timeoutMs, maxPendingBytes, aliveMs, onError: () => {} });
      return { backplane, close: () => backplane.close() };
    },
  },
  nats: {
    start: startNats,
    async open(port, { maxPendingBytes = 1_000_000, timeoutMs = 3000, aliveMs } = {}) {
      const connection = await connectNats(port);
      const backplane = natsBackplane(connection, { timeoutMs, maxPendingBytes, aliveMs, onError: () => {} });
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
