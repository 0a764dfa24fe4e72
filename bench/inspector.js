// @ts-check
// Measures what an open page of the inspector costs its server, apart from the server's work: processor instructions per second, while 1,000,
// 5,000 and 20,000 WebSockets are silent. `node bench/inspector.js [COUNT…]`. Needs `perf`.

import { fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { attachCounter } from "./lib/instructions.js";
import { openWebSockets } from "./lib/silent-sockets.js";

const COUNTS = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1000, 5000, 20_000];
const WINDOW_MS = 15_000;
/** V8 has compiled what runs once a second. */
const WARMUP_MS = 30_000;
const SERVER = fileURLToPath(new URL("servers/fan-out-unichannel.js", import.meta.url));

/** @param {number} count @param {readonly string[]} args @returns {Promise<number>} millions of instructions in a second */
async function measure(count, args) {
  const server = fork(SERVER, args, { stdio: "inherit" });
  /** @type {number} */
  const port = await new Promise((resolve) =>
    server.once("message", (message) => resolve(/** @type {any} */ (message).port)),
  );
  const close = await openWebSockets(port, count);
  await sleep(WARMUP_MS);
  const counter = attachCounter([server.pid ?? 0]);
  if (counter === undefined) throw new Error("perf is not installed, or may not count");
  counter.begin();
  await sleep(WINDOW_MS);
  counter.end();
  const instructions = await counter.read();
  close();
  server.disconnect();
  return instructions / (WINDOW_MS / 1000) / 1e6;
}

console.log("| WebSockets | nobody looks | an open page | it costs |\n| --- | --- | --- | --- |");
for (const count of COUNTS) {
  const alone = await measure(count, []);
  const inspected = await measure(count, ["inspected"]);
  const [a, b, c] = [alone, inspected, inspected - alone].map((value) => value.toFixed(1));
  console.log(`| ${count.toLocaleString("en-US")} | ${a} | ${b} | ${c} |`);
}
