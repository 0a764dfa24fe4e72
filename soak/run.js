// @ts-check
// A soak run: a server in its own process, clients of every transport with faults in between, and every message numbered and
// checked; memory and handles must return to their first values. `npm run soak -- --minutes 10 --seed 1`; See soak/README.md.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as rest } from "node:timers/promises";
import { parseArgs } from "node:util";
import { machineFacts } from "../bench/lib/machine.js";
import { plot } from "./chart.js";
import { load, World } from "./load.js";

/** @typedef {import("./server.js").Sample} Sample */

const MIB = 1 << 20;
const RESULTS = new URL("results/", import.meta.url);
/** The number of samples in a run of any length; at most one per second. */
const SAMPLES = 240;
/** The warm-up, in which all code is compiled and every pool filled before memory is measured. */
const WARM_UP_MS = 10_000;
/** The time for the keep-alive and close timeouts of the server, and its tick. */
const SETTLE_MS = 9000;
/** The heap may be larger by this much at the end than at the beginning. */
const MAX_GROWTH_MIB = 4;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "2" },
    seed: { type: "string" },
    "no-results": { type: "boolean", default: false },
  },
});
const minutes = Number(values.minutes);
const seed = values.seed === undefined ? Date.now() >>> 0 : Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  console.error("node soak/run.js [--minutes 2] [--seed 1] [--no-results]");
  process.exit(1);
}

const machine = machineFacts();
const child = fork(new URL("server.js", import.meta.url), { execArgv: ["--expose-gc"] });
const exit = once(child, "exit");
/** @type {string[]} */
const failures = [];
child.once("exit", (code, signal) => code !== 0 && failures.push(`the server ended: ${code ?? signal}`));
const [port] = /** @type {[number]} */ (await once(child, "message"));

/** @param {"sample" | "settled"} question @returns {Promise<Sample>} */
async function ask(question) {
  const answer = once(child, "message");
  child.send(question);
  const [sample] = await Promise.race([answer, exit.then(() => [undefined])]);
  if (sample === undefined) throw new Error(failures[0] ?? "the server ended");
  return sample;
}

/** Runs the load for `ms`, then until each conversation has ended. @param {number} ms @param {number} runSeed @param {(world: World) => Promise<void>} watch */
async function underLoad(ms, runSeed, watch) {
  const world = new World(port);
  const loaded = load(world, runSeed);
  const end = Date.now() + ms;
  while (Date.now() < end && world.failures.length === 0) await watch(world);
  world.isOver = true;
  await loaded;
  world.close();
  await rest(SETTLE_MS);
  failures.push(...world.failures);
  return world;
}

console.log(`soak: seed ${seed}, ${minutes} min; again with --seed ${seed} --minutes ${minutes}`);
await underLoad(WARM_UP_MS, seed ^ 1, async () => void (await rest(500)));
const before = await ask("settled");

const intervalMs = Math.max(1000, (minutes * 60_000) / SAMPLES);
/** @type {(Sample & { second: number, perSecond: number, counts: Record<string, number> })[]} */
const samples = [];
const start = Date.now();
await ask("sample");
const world = await underLoad(minutes * 60_000, seed, async (current) => {
  const from = { at: Date.now(), total: total(current.counts) };
  await rest(intervalMs);
  const sample = await ask("sample");
  const now = Date.now();
  const perSecond = ((total(current.counts) - from.total) / (now - from.at)) * 1000;
  samples.push({ second: (now - start) / 1000, perSecond, ...sample, counts: { ...current.counts } });
  progress((now - start) / 1000, perSecond, sample);
});
const after = await ask("settled");
child.send("stop");
const isStopped = await Promise.race([exit.then(() => true), rest(15_000, false, { ref: false })]);
if (!isStopped) child.kill("SIGKILL");
check();
report();

/** @param {Record<string, number>} counts messages; neither faults nor the lines of a body */
function total(counts) {
  return Object.entries(counts).reduce(
    (sum, [name, count]) => (isFault(name) || name === "lines" ? sum : sum + count),
    0,
  );
}

/** @param {string} name */
function isFault(name) {
  return ["reset", "gone", "half-open", "slow"].includes(name);
}

/** @param {number} second @param {number} perSecond @param {Sample} sample */
function progress(second, perSecond, { rss, delayP99, stats }) {
  const line =
    `${second.toFixed(0)} of ${(minutes * 60).toFixed(0)} s: ${perSecond.toFixed(0)} messages/s, ${stats.connections} connections, ` +
    `${(rss / MIB).toFixed(0)} MiB, event loop late by ${delayP99.toFixed(1)} ms (p99)`;
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`);
  else if (samples.length % 15 === 0) console.log(line);
}

/** Checks the state after the load has ended. */
function check() {
  // A failed client has not closed its connection.
  if (failures.length > 0) return;
  const growth = (after.heap + after.external - before.heap - before.external) / MIB;
  if (growth > MAX_GROWTH_MIB) failures.push(`the heap has grown by ${growth.toFixed(1)} MiB`);
  const { connections, channels } = after.stats;
  const open = connections + Object.values(channels).reduce((sum, count) => sum + count, 0);
  if (open > 0) failures.push(`still open: ${JSON.stringify(after.stats)}`);
  if (JSON.stringify(after.resources) !== JSON.stringify(before.resources)) {
    failures.push(`resources ${JSON.stringify(after.resources)}, before ${JSON.stringify(before.resources)}`);
  }
  for (const report of Object.keys(after.reports)) failures.push(`reported ${after.reports[report]} times: ${report}`);
  if (!isStopped) failures.push("the stopped server's process does not end");
}

function report() {
  const counts = Object.fromEntries(Object.entries(world.counts).sort(([a], [b]) => a.localeCompare(b)));
  console.log(`\n${total(counts).toLocaleString("en-US")} messages checked, and the lines of bodies:`);
  for (const [name, count] of Object.entries(counts))
    if (!isFault(name)) console.log(`${String(count).padStart(10)}  ${name}`);
  console.log("among faults:");
  for (const [name, count] of Object.entries(counts))
    if (isFault(name)) console.log(`${String(count).padStart(10)}  ${name}`);
  console.log(`heap ${toMib(before)} MiB before, ${toMib(after)} MiB after`);
  for (const failure of failures) console.error(`FAILED: ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
  if (values["no-results"]) return;
  mkdirSync(RESULTS, { recursive: true });
  const name = `${machine.date.slice(0, 10)}-${minutes}-min`;
  const result = { seed, minutes, failures, counts, before, after, machine, samples };
  writeFileSync(new URL(`${name}.json`, RESULTS), `${JSON.stringify(result, undefined, 1)}\n`);
  writeFileSync(new URL(`${name}.svg`, RESULTS), plot(result));
  console.log(`soak/results/${name}.json and .svg`);
}

/** @param {Sample} sample */
function toMib({ heap, external }) {
  return ((heap + external) / MIB).toFixed(1);
}
