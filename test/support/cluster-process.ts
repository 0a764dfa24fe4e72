// One process of a cluster, for fault tests: when told to begin publishes numbered messages to one group at a steady pace
// until its standard input ends, then says what it published, and what it heard, when every process has said its last word.

import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { BROKER_KITS, type BrokerName } from "./broker-kits.ts";

export interface ProcessOrder {
  readonly broker: BrokerName;
  readonly port: number;
  readonly name: string;
  readonly processes: number;
}

export interface ProcessReport {
  /** Messages that the broker confirmed, with their ids. */
  readonly published: readonly (readonly [text: string, id: string])[];
  readonly failed: readonly string[];
  readonly heard: readonly (readonly [text: string, id: string])[];
  readonly gaps: number;
}

const order = JSON.parse(process.argv[2]!) as ProcessOrder;
const { backplane } = await BROKER_KITS[order.broker].open(order.port);
const published: [string, string][] = [];
const failed: string[] = [];
const heard: [string, string][] = [];
const keep = { size: 100_000, ttlMs: 600_000 };
let ends = 0;
let gaps = 0;
await backplane.subscribe("g", {
  entry({ id, payload }) {
    const text = Buffer.from(payload).toString();
    heard.push([text, id]);
    if (text.endsWith("end")) ends += 1;
  },
  gap() {
    gaps += 1;
  },
});

let isRunning = true;
process.stdin.on("end", () => (isRunning = false));
console.log("ready");
// Publishing begins when all processes listen.
await once(process.stdin, "data");
const publishing: Promise<boolean>[] = [];
for (let n = 0; isRunning; n++) {
  // Not waited for: what is on its way when the broker dies is the interesting part.
  publishing.push(publish(`${order.name} ${n}`));
  if (n % 10 === 0) await delay(10);
}
while (!(await publish(`${order.name} end`))) await delay(100);
while (ends < order.processes) await delay(20);
// The outcome of each is part of the report.
await Promise.all(publishing);
const report: ProcessReport = { published, failed, heard, gaps };
process.stdout.write(JSON.stringify(report), () => process.exit());

async function publish(text: string): Promise<boolean> {
  try {
    published.push([text, await backplane.publish("g", Buffer.from(text), keep)]);
    return true;
  } catch {
    failed.push(text);
    return false;
  }
}
