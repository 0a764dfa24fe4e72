// The entry `unichannel/redis`: re-exports only.

export type { Backplane } from "./group/backplane.ts";
export { type RedisBackplaneOptions, redisBackplane } from "./group/backplane-redis.ts";
export type { RedisClient } from "./group/redis-client.ts";
