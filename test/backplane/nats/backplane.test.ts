// The backplane over NATS JetStream.

import { after, before } from "node:test";
import { natsBackplane } from "../../../src/backplane/nats/backplane.ts";
import { nameToken } from "../../../src/backplane/nats/subjects.ts";
import { backplaneContract } from "../../contract/backplane.ts";
import type { Broker } from "../../support/broker.ts";
import { connectNats, startNats } from "../../support/nats.ts";
import { needs } from "../../support/needs.ts";
import { spawnChild } from "../../support/spawn-child.ts";

const skip = needs("nats-server");
let nats: Broker;
let clusters = 0;

before(async () => {
  if (skip === false) nats = await startNats();
});
after(() => nats?.stop());

backplaneContract(
  "over NATS",
  async () => {
    const name = `test-${clusters++}`;
    const reports: unknown[] = [];
    const ends: (() => Promise<void>)[] = [];
    const { port } = nats;
    return {
      reports,
      async open() {
        const connection = await connectNats(port);
        ends.push(() => connection.close());
        return natsBackplane(connection, { name, aliveMs: 2500, onError: (error) => reports.push(error) });
      },
      async pollute(group) {
        const connection = await connectNats(port);
        await connection.request(`${name}.g.${nameToken(group)}`, "x");
        await connection.request(`${name}.g.${nameToken(group)}`, "");
        await connection.close();
      },
      async spawnMember(group, key) {
        const child = await spawnChild("backplane-child.ts", {
          ...{ library: "nats", port, prefix: name, aliveMs: 2500, group, key },
        });
        ends.push(() => child.kill());
        return child;
      },
      async close() {
        for (const end of ends) await end();
      },
    };
  },
  { skip },
);
