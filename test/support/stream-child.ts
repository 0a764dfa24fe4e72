// A process that publishes a stream of numbered tokens to a group over a broker: so many, or until it is killed. It says when it begins.

import { setTimeout as delay } from "node:timers/promises";
import { createChannelStore } from "../../src/index.ts";
import { BROKER_KITS, type BrokerName } from "./broker-kits.ts";

export interface StreamOrder {
  readonly broker: BrokerName;
  readonly port: number;
  readonly aliveMs: number;
  readonly tokens: number;
}

const { broker, port, aliveMs, tokens } = JSON.parse(process.argv[2]!) as StreamOrder;
const { backplane } = await BROKER_KITS[broker].open(port, { aliveMs });
const store = createChannelStore({ backplane, onError: () => {} });

async function* numbered(): AsyncGenerator<string> {
  for (let i = 0; i < tokens; i++) {
    await delay(2);
    yield `${i} `;
  }
}

// Keeps the process.
setInterval(() => {}, 1000);
console.log("begins");
await store.publishStream("g", numbered(), { coalesceMs: 5 });
