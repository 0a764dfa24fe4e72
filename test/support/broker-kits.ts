// The parts of the fault tests that differ between brokers: how to start one, and a process that uses it.

import type { Backplane } from "../../src/backplane/backplane.ts";
import { natsBackplane } from "../../src/backplane/nats/backplane.ts";
import { natsSessions } from "../../src/backplane/nats/sessions.ts";
import { redisBackplane } from "../../src/backplane/redis/backplane.ts";
import { redisSessions } from "../../src/backplane/redis/sessions.ts";
import type { SessionStore } from "../../src/backplane/session-store.ts";
import type { Broker } from "./broker.ts";
import { hubBackplane, hubSessions, startHub } from "./hub.ts";
import { connectNats, startNats } from "./nats.ts";
import { needs } from "./needs.ts";
import { REDIS_CLIENTS, startRedis } from "./redis.ts";

/** `processes`: the hub of `unichannel/processes`, in a process of its own. */
export type BrokerName = "redis" | "nats" | "processes";

export interface BrokerKit {
  /** The reason why tests with it are skipped. */
  readonly skip: string | false;
  /** True if what it has confirmed is there again after it was killed. */
  readonly keepsData: boolean;
  start(): Promise<Broker>;
  open(port: number, options?: KitOptions): Promise<OpenedBackplane>;
  openSessions(port: number, options?: SessionKitOptions): Promise<OpenedSessions>;
}

export interface KitOptions {
  /** @default 1 MB */
  readonly maxPendingBytes?: number;
  /** No answer for so long is a dead connection: short, where one is to be found. @default 3000 */
  readonly timeoutMs?: number;
  /** @default that of the backplane */
  readonly aliveMs?: number;
}

export interface SessionKitOptions {
  /** @default 3000 */
  readonly timeoutMs?: number;
  readonly onError?: (error: unknown) => void;
}

/** The limits of an application that sets none. */
export const USUAL: KitOptions = { maxPendingBytes: 16 * 1024 * 1024, timeoutMs: 5000 };

export interface OpenedBackplane {
  readonly backplane: Backplane;
  /** The backplane, and what the caller of it brought. */
  close(): Promise<void>;
}

export interface OpenedSessions {
  readonly sessions: SessionStore;
  /** The store, and what the caller of it brought. */
  close(): Promise<void>;
}

const quiet = (): void => {};

export const BROKER_KITS: Record<BrokerName, BrokerKit> = {
  redis: {
    skip: needs("redis-server"),
    keepsData: true,
    start: startRedis,
    async open(port, { maxPendingBytes = 1_000_000, timeoutMs = 3000, aliveMs } = {}) {
      const client = REDIS_CLIENTS.ioredis(port);
      const backplane = redisBackplane(client, { timeoutMs, maxPendingBytes, aliveMs, onError: quiet });
      return { backplane, close: () => backplane.close() };
    },
    async openSessions(port, { timeoutMs = 3000, onError = quiet } = {}) {
      const sessions = redisSessions(REDIS_CLIENTS.ioredis(port), { timeoutMs, onError });
      return { sessions, close: () => sessions.close() };
    },
  },
  nats: {
    skip: needs("nats-server"),
    keepsData: true,
    start: startNats,
    async open(port, { maxPendingBytes = 1_000_000, timeoutMs = 3000, aliveMs } = {}) {
      const connection = await connectNats(port);
      const backplane = natsBackplane(connection, { timeoutMs, maxPendingBytes, aliveMs, onError: quiet });
      return {
        backplane,
        async close() {
          await backplane.close();
          await connection.close();
        },
      };
    },
    async openSessions(port, { timeoutMs = 3000, onError = quiet } = {}) {
      const connection = await connectNats(port);
      const sessions = natsSessions(connection, { timeoutMs, onError });
      return {
        sessions,
        async close() {
          await sessions.close();
          await connection.close();
        },
      };
    },
  },
  processes: {
    skip: false,
    keepsData: false,
    start: startHub,
    async open(port, { maxPendingBytes = 1_000_000, timeoutMs = 3000 } = {}) {
      const backplane = hubBackplane(port, { timeoutMs, maxPendingBytes });
      return { backplane, close: () => backplane.close() };
    },
    async openSessions(port, { timeoutMs = 3000, onError = quiet } = {}) {
      const sessions = hubSessions(port, { timeoutMs, onError });
      return { sessions, close: () => sessions.close() };
    },
  },
};
