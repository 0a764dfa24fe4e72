// The session store over NATS JetStream.

import { after, before } from "node:test";
import type { NatsConnection } from "@nats-io/transport-node";
import { natsSessions } from "../../../src/backplane/nats/sessions.ts";
import { sessionStoreContract } from "../../contract/session-store.ts";
import type { Broker } from "../../support/broker.ts";
import { connectNats, startNats } from "../../support/nats.ts";
import { needs } from "../../support/needs.ts";
import { sessionStoresAway } from "../../support/session-stores-away.ts";

const skip = needs("nats-server");
let nats: Broker;
let services = 0;

before(async () => {
  if (skip === false) nats = await startNats();
});
after(() => nats?.stop());

sessionStoreContract(
  "over NATS",
  async () => {
    const name = `test-${services++}`;
    const connections: NatsConnection[] = [];
    return {
      async open() {
        const connection = await connectNats(nats.port);
        connections.push(connection);
        return natsSessions(connection, { name });
      },
      async close() {
        for (const connection of connections) await connection.close();
      },
    };
  },
  {
    skip,
    away: sessionStoresAway({
      start: startNats,
      async open(port) {
        const connection = await connectNats(port);
        const store = natsSessions(connection, { timeoutMs: 2000, onError() {} });
        return {
          store,
          async close() {
            await store.close();
            await connection.close();
          },
        };
      },
    }),
  },
);
