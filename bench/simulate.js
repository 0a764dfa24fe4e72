// @ts-check
// Checks the arithmetic of docs/guide/scaling-out.md: measures what one process of 10,000 WebSockets in a group costs, says
// from it what ten of them with 100,000 must cost, and measures that. Everything is real but two things: streams take what is
// written without a socket, so the kernel's part (most of a delivery) is not in it, and all "processes" are stores over one
// MemoryBackplane. `node --expose-gc bench/simulate.js [--processes N] [--members N]`, after a build.
import { parseArgs } from "node:util";
import { createChannelStore, MemoryBackplane, withChannel } from "../dist/src/index.js";
import { EngineServer } from "../dist/src/server/engine-server.js";
import { Http1Driver } from "../dist/src/transport/http1/driver.js";
import { upgradeRequest } from "./lib/frames.js";
import { Sink } from "./lib/sink.js";

const { values } = parseArgs({
  options: { processes: { type: "string", default: "10" }, members: { type: "string", default: "10000" } },
});
const processes = Number(values.processes);
const members = Number(values.members);
const MESSAGES = 20;
const MESSAGE = "x".repeat(128);

const gc = globalThis.gc;
if (gc === undefined) throw new Error("run it with node --expose-gc");

/** Counts what all of them are given. */
class CountedSink extends Sink {
  static writes = 0;
  write() {
    CountedSink.writes++;
  }
}

const handshake = upgradeRequest();
/** What must outlive the measurement. @type {unknown[]} */
const kept = [];

/** Processes with so many members each; what they hold, and what one message to all costs. @param {number} count */
async function measure(count) {
  const before = await heap();
  const first = new MemoryBackplane();
  const stores = Array.from({ length: count }, (_, i) =>
    createChannelStore({ backplane: i === 0 ? first : first.share(), history: { size: 100 } }),
  );
  for (const store of stores) {
    const server = new EngineServer(
      (request) => withChannel(request, (channel) => store.addToGroup("all", channel)),
      {},
    );
    for (let i = 0; i < members; i++) {
      const stream = new CountedSink();
      stream.listener = new Http1Driver(/** @type {any} */ (stream), server);
      stream.listener.onBytes(Buffer.from(handshake));
      kept.push(stream);
      if (i % 1000 === 999) await new Promise(setImmediate);
    }
  }
  await stores[0]?.publish("all", "warm");
  await settled();
  const bytes = (await heap()) - before;
  const writes = CountedSink.writes;
  const cpu = process.cpuUsage();
  for (let i = 0; i < MESSAGES; i++) {
    await stores[i % count]?.publish("all", MESSAGE);
    await settled();
  }
  const { user, system } = process.cpuUsage(cpu);
  const deliveries = CountedSink.writes - writes;
  if (deliveries !== MESSAGES * count * members) throw new Error(`${deliveries} deliveries`);
  kept.push(stores);
  return { bytes, microseconds: (user + system) / MESSAGES, deliveries };
}

async function heap() {
  for (let i = 0; i < 3; i++) await new Promise(setImmediate);
  gc?.();
  return process.memoryUsage().heapUsed;
}

/** Entries have been heard by all, and outputs are written. */
async function settled() {
  for (let i = 0; i < 10; i++) await new Promise(setImmediate);
}

// Once for the optimizer.
await measure(1);
const one = await measure(1);
const all = await measure(processes);

console.log(`one process: ${members.toLocaleString("en-US")} WebSockets in one group`);
console.log(
  `  ${Math.round(one.bytes / members)} bytes of heap each, ${Math.round((one.microseconds * 1000) / members)} ns of CPU for each delivery`,
);
console.log(
  `${processes} processes: ${(processes * members).toLocaleString("en-US")} WebSockets, ${MESSAGES} messages to all`,
);
row("heap in MB", (one.bytes * processes) / 1e6, all.bytes / 1e6);
row("ms of CPU for a message", (one.microseconds * processes) / 1000, all.microseconds / 1000);
row("deliveries", MESSAGES * processes * members, all.deliveries);
process.exit();

/** @param {string} what @param {number} expected @param {number} measured */
function row(what, expected, measured) {
  const [a, b] = [expected, measured].map((value) => value.toLocaleString("en-US", { maximumFractionDigits: 1 }));
  console.log(`  ${what}: expected ${a}, measured ${b}, ${(measured / expected).toFixed(2)} ×`);
}
