// @ts-check
// `npm run bench:scale`: as many WebSockets as this machine holds, in many processes. See "As many connections as the machine holds" in
// bench/README.md. Writes bench/results/DATE-scale.json and prints its table.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { canReadCpu } from "../lib/cpu.js";
import { hasCommand, openFilesLimit } from "../lib/machine.js";
import { number, RESULTS } from "../lib/results.js";
import { stopAll } from "./child.js";
import { measureScale } from "./measure.js";
import { kernelMemory } from "./memory.js";
import { checkMemory, mostConnections, planProcesses } from "./plan.js";
import { curveTable, scaleCurves, scaleTable } from "./report.js";

const DEFAULT_CONNECTIONS = 500_000;
const HELP = `node bench/scale/run.js [options], after a build
  --connections N        by default 500,000, or as many as the memory allows, if that is less
  --seconds N            of the two long measurements, idle and lightly used (default 60)
  --interval N           seconds between two messages of a client that is lightly used (default 60)
  --ping-interval-ms N   of the servers; by default that of the library
  --backlog N            of the servers; by default that of the library
  --minutes N            limit of the whole run (default 20)
  --out FILE             the raw result, instead of bench/results/DATE-scale.json
  --quick                curves of small numbers: checks that everything runs`;

const { values } = parseArgs({
  options: {
    connections: { type: "string" },
    seconds: { type: "string", default: "60" },
    interval: { type: "string", default: "60" },
    "ping-interval-ms": { type: "string" },
    backlog: { type: "string" },
    minutes: { type: "string", default: "20" },
    out: { type: "string" },
    quick: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit();
}
for (const [name, value] of Object.entries(values)) {
  const isNumber = name !== "out" && typeof value === "string";
  if (isNumber && !(Number(value) > 0)) refuse(`--${name} ${value} is not a number above zero\n${HELP}`);
}
if (!canReadCpu) refuse("this measurement reads /proc: it runs on Linux only");
if (!hasCommand("redis-server")) refuse("this measurement needs redis-server: apt-get install redis-server");

const begin = performance.now();
let isEnding = false;
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.on(signal, () => void end(130, `stopped by ${signal}`));
}
process.on("uncaughtException", (error) => void end(1, String(error.stack)));
const limit = Number(values.minutes) * 60_000;
setTimeout(() => void end(1, `stopped after ${values.minutes} minutes, the limit of --minutes`), limit).unref();
run().then(
  () => end(0),
  (error) => end(1, error instanceof Error ? error.message : String(error)),
);

async function run() {
  const fileLimit = openFilesLimit();
  const { available } = kernelMemory();
  const most = mostConnections(available, fileLimit);
  const connections = Math.round(Number(values.connections ?? Math.min(DEFAULT_CONNECTIONS, most)));
  checkMemory(connections, available, fileLimit);
  const plan = planProcesses(connections, fileLimit);
  const seconds = Number(values.seconds);
  /** @param {string | undefined} value */
  const optional = (value) => (value === undefined ? undefined : Number(value));
  const serverOptions = { pingIntervalMs: optional(values["ping-interval-ms"]), backlog: optional(values.backlog) };
  console.error(
    `${number(connections)} connections: ${plan.servers} servers and ${plan.servers} processes of clients with ` +
      `${number(plan.share)} each, and one Redis; some ${Math.ceil((connections / 2500 + 2 * seconds + 150) / 60)} minutes`,
  );
  const options = { connections, ...plan, seconds, intervalSeconds: Number(values.interval), ...serverOptions };
  const result = await measureScale({ ...options, isQuick: values.quick }, say);
  const out = values.out ?? new URL(`${result.machine.date.slice(0, 10)}-scale.json`, RESULTS);
  writeFileSync(out, `${JSON.stringify(result, undefined, 1)}\n`);
  console.log([scaleTable(result), ...scaleCurves(result).map(curveTable)].join("\n\n"));
}

/** Stops everything that was started, and ends. @param {number} code @param {string} [message] */
async function end(code, message) {
  if (isEnding) return;
  isEnding = true;
  if (message !== undefined) console.error(message);
  await stopAll();
  process.exit(code);
}

/** @param {string} message @returns {never} */
function refuse(message) {
  console.error(message);
  process.exit(1);
}

/** @param {string} what */
function say(what) {
  const seconds = Math.round((performance.now() - begin) / 1000);
  console.error(`  ${String(seconds).padStart(4)} s  ${what}`);
}
