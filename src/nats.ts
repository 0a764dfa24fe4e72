// The entry `unichannel/nats`: re-exports only.

export type { Backplane } from "./backplane/backplane.ts";
export type { NatsConnection, NatsMessage } from "./backplane/nats/api.ts";
export { type NatsBackplaneOptions, natsBackplane } from "./backplane/nats/backplane.ts";
export { type NatsSessionsOptions, natsSessions } from "./backplane/nats/sessions.ts";
export type { SessionStore } from "./backplane/session-store.ts";
