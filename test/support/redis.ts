// Redis for tests: the server, and clients of each library that users have.

import { Redis as IoRedis } from "ioredis";
import { Redis as IoValkey } from "iovalkey";
import { createClient } from "redis";
import type { RedisClient } from "../../src/backplane/redis/client.ts";
import { Broker } from "./broker.ts";

export type RedisLibrary = "node-redis" | "ioredis" | "iovalkey";

/** A Redis that keeps what it confirmed when its process is killed. `more`: arguments of redis-server. */
export function startRedis(...more: string[]): Promise<Broker> {
  return Broker.start((port, folder) => [
    ...["redis-server", "--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
    ...["--appendonly", "yes", "--loglevel", "warning", ...more],
  ]);
}

/** A client as users pass it in. It is not connected: a backplane makes its own connections. */
export const REDIS_CLIENTS: Record<RedisLibrary, (port: number) => RedisClient> = {
  "node-redis": (port) => createClient({ url: `redis://127.0.0.1:${port}` }),
  ioredis: (port) => new IoRedis(port, "127.0.0.1", { lazyConnect: true }),
  iovalkey: (port) => new IoValkey(port, "127.0.0.1", { lazyConnect: true }),
};

/** A connection of the test's own, for raw commands. */
export async function redisCommand(port: number, ...commands: readonly string[][]): Promise<unknown[]> {
  const client = new IoRedis(port, "127.0.0.1", { lazyConnect: true });
  try {
    await client.connect();
    const replies: unknown[] = [];
    for (const [name = "", ...args] of commands) replies.push(await client.call(name, ...args));
    return replies;
  } finally {
    client.disconnect();
  }
}
