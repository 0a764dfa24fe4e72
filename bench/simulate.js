// @ts-check
// Checks the arithmetic of docs/how-to/scaling-out.md: measures the cost of one process with 10,000 WebSockets in a group,
// predicts the cost of ten processes with 100,000, and measures that. Two things are simulated: streams accept all
// bytes without a socket, so the kernel's part (most of a delivery) is missing, and all "processes" are stores over one
// MemoryBackplane. `node --expose-gc bench/simulate.js [--processes N] [--members N]`, after a build.
import { parseArgs } from "node:util";
import { createChannelStore, MemoryBackplane, withChannel } from "../dist/src/index.js";
import { loadEngine } from "./lib/engine.js";
import { upgradeRequest } from "./lib/frames.js";

const { values } = parseArgs({
  options: { processes: { type: "string", default: "10" }, members: { type: "string", default: "10000" } },
});
const processes = Number(values.processes);
const members = Number(values.members);
const MESSAGES = 20;
const MESSAGE = "x".repeat(128);

const gc = globalThis.gc;
if (gc === undefined) throw new Error("run it with node --expose-gc");

const { serve } = await loadEngine();
const handshake = upgradeRequest();
/** Objects that must outlive the measurement. @type {unknown[]} */
const kept = [];
/** The connections. @type {import("./lib/sink.js").Sink[]} */
const streams = [];

/** Processes with so many members each; what they hold, and what one message to all costs. @param {number} count */
async function measure(count) {
  const before = await heap();
  const first = new MemoryBackplane();
  const stores = Array.from({ length: count }, (_, i) =>
    createChannelStore({ backplane: i === 0 ? first : first.share(), history: { size: 100 } }),
  );
  for (const store of stores) {
    const connect = serve((request) => withChannel(request, (channel) => store.addToGroup("all", channel)));
    for (let i = 0; i < members; i++) {
      const stream = connect();
      stream.listener.onBytes(Buffer.from(handshake));
      streams.push(stream);
      if (i % 1000 === 999) await new Promise(setImmediate);
    }
  }
  await stores[0]?.publish("all", "warm");
  await settled();
  const bytes = (await heap()) - before;
  const written = writes();
  const cpu = process.cpuUsage();
  for (let i = 0; i < MESSAGES; i++) {
    await stores[i % count]?.publish("all", MESSAGE);
    await settled();
  }
  const { user, system } = process.cpuUsage(cpu);
  const deliveries = writes() - written;
  if (deliveries !== MESSAGES * count * members) throw new Error(`${deliveries} deliveries`);
  kept.push(stores);
  return { bytes, microseconds: (user + system) / MESSAGES, deliveries };
}

function writes() {
  return streams.reduce((sum, stream) => sum + stream.writes, 0);
}

async function heap() {
  for (let i = 0; i < 3; i++) await new Promise(setImmediate);
  gc?.();
  return process.memoryUsage().heapUsed;
}

/** Resolves when all stores have received the entries, and all outputs are written. */
async function settled() {
  for (let i = 0; i < 10; i++) await new Promise(setImmediate);
}

// The first run is for the optimizer.
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
