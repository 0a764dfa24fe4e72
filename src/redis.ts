// The entry `unichannel/redis`: re-exports only.

export type { Backplane } from "./backplane/backplane.ts";
export { type RedisBackplaneOptions, redisBackplane } from "./backplane/redis/backplane.ts";
export type { IoredisClient, NodeRedisClient, RedisClient } from "./backplane/redis/client.ts";
export { type RedisSessionsOptions, redisSessions } from "./backplane/redis/sessions.ts";
export type { SessionStore } from "./backplane/session-store.ts";
