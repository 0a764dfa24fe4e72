// The entry `unichannel/nats`: re-exports only.

export type { Backplane } from "./group/backplane.ts";
export { type NatsBackplaneOptions, natsBackplane } from "./group/backplane-nats.ts";
export type { NatsConnection, NatsMessage } from "./group/nats-api.ts";
