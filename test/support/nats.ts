// NATS for tests: the server with JetStream, and a connection as users make it.

import { connect, type NatsConnection } from "@nats-io/transport-node";
import { Broker } from "./broker.ts";

export function startNats(): Promise<Broker> {
  return Broker.start((port, folder) => ["nats-server", "-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder]);
}

/** One that never gives up. */
export function connectNats(port: number): Promise<NatsConnection> {
  return connect({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
}
