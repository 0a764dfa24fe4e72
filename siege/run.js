// @ts-check
// A siege: one attack after the other on a server with a heap of 512 MiB and the default options, each on a new process, with
// a correct client beside it. `npm run siege -- --minutes 10 --only slow-loris`; See siege/README.md.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { setTimeout as rest } from "node:timers/promises";
import { parseArgs } from "node:util";
import { machineFacts } from "../bench/lib/machine.js";
import { table } from "./lib/table.js";

/** @typedef {import("./server.js").Sample} Sample */
/** @typedef {import("./good-client.js").Report} Report */

/**
 * The effects of one attack on the server.
 * @typedef {object} Outcome
 * @property {string} name
 * @property {string} about
 * @property {number} seconds
 * @property {Sample} before
 * @property {Sample | undefined} peak when the attack ended; undefined: the server had ended before
 * @property {Sample | undefined} after
 * @property {number} settledAfter seconds from the attack's end until memory was near its start, or until the time limit
 * @property {Record<string, number>} attacked what the attack did
 * @property {Report} good
 * @property {string[]} failures
 */

const MIB = 1 << 20;
const RESULTS = new URL("results/", import.meta.url);
const HEAP_MIB = 512;
/** The limits on unsent, received and kept bytes (SECURITY.md, "What clients can hold together"), and the process itself. */
const MAX_RSS_MIB = { one: 512, all: 640 };
/** The limit on unfinished input of all clients together, plus one read of each connection before it is refused. */
const MAX_RECEIVED_MIB = 256;
/** Growth of heap and buffers after the attack and a garbage collection. RSS also includes memory that the allocator keeps. */
const MAX_GROWTH_MIB = 12;
/** The time limit for an answer to the correct client: the attack and the server share the cores. */
const MAX_WAIT_MS = 30_000;
/** Sessions live for a minute without a connection, and for 50 s with a connection that acknowledges nothing. */
const SETTLE_MS = 170_000;
const WARM_UP_MS = 1500;
/** All attacks come from one address, and the correct client's traffic from another. */
const ADDRESS = "127.0.0.1";
const GOOD_ADDRESS = "127.0.0.2";
const QUICK_MS = 500;

const NAMES = readdirSync(new URL("attacks/", import.meta.url)).map((file) => file.replace(/\.js$/, ""));
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    only: { type: "string" },
    seed: { type: "string" },
    quick: { type: "boolean", default: false },
    "no-results": { type: "boolean", default: false },
  },
});
const names = values.only === undefined ? NAMES : values.only.split(",");
const minutes = Number(values.minutes);
const seed = values.seed === undefined ? Date.now() >>> 0 : Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(seed) || names.some((name) => !NAMES.includes(name))) {
  console.error("node siege/run.js [--minutes 10] [--only name,name] [--quick] [--seed 1] [--no-results]");
  console.error(`attacks: ${NAMES.join(", ")}`);
  process.exit(1);
}
const attackMs = values.quick ? QUICK_MS : Math.max((minutes * 60_000) / names.length - WARM_UP_MS, 3000);

const machine = machineFacts();
/** @type {Outcome[]} */
const outcomes = [];
console.log(`siege: ${names.length} attacks of ${(attackMs / 1000).toFixed(1)} s, seed ${seed}`);
// Starting processes takes longest: the quick siege runs all attacks on one server.
const rounds = values.quick ? [names] : names.map((name) => [name]);
for (const [index, attacks] of rounds.entries()) {
  const outcome = await besiege(attacks, (seed + index) >>> 0);
  outcomes.push(outcome);
  save();
  console.log(table([outcome], index === 0));
  for (const failure of outcome.failures) console.error(`FAILED: ${outcome.name}: ${failure}`);
}
report();

/** @param {string[]} attacks @param {number} attackSeed @returns {Promise<Outcome>} */
async function besiege(attacks, attackSeed) {
  const name = attacks.length === 1 ? `${attacks[0]}` : "all of them";
  const about = attacks.length === 1 ? await aboutOf(name) : attacks.join(", ");
  /** @type {string[]} */
  const failures = [];
  const server = child("server.js", [], [`--max-old-space-size=${HEAP_MIB}`, "--expose-gc"]);
  const port = Number(await server.answer());
  const good = child("good-client.js", [String(port), GOOD_ADDRESS]);
  await good.answer();
  await rest(values.quick ? QUICK_MS : WARM_UP_MS);
  const before = await server.ask("settled");
  const start = performance.now();
  const attacker = child("attack.js", [attacks.join(","), String(port), ADDRESS, String(attackMs), String(attackSeed)]);
  const attacked = await Promise.race([attacker.answer(), server.exit.then(() => ({}))]);
  const seconds = (performance.now() - start) / 1000;
  const peak = await server.ask("sample");
  attacker.kill();
  await attacker.exit;
  const end = performance.now();
  let after = await server.ask("settled");
  while (!values.quick && after !== undefined && !isSettled(before, after) && performance.now() - end < SETTLE_MS) {
    await rest(1000);
    after = await server.ask("settled");
  }
  const settledAfter = (performance.now() - end) / 1000;
  const report = await goodReport(good);
  if (!server.isAlive()) failures.push(`the server ended: ${await server.exit}`);
  failures.push(...report.failures.map((failure) => `the good client: ${failure}`));
  if (peak !== undefined && after !== undefined) failures.push(...check(before, peak, after, report));
  server.kill();
  await server.exit;
  return { name, about, seconds, before, peak, after, settledAfter, attacked, good: report, failures };
}

/** @param {string} name */
async function aboutOf(name) {
  /** @type {{ default: import("./lib/attacker.js").Attack }} */
  const { default: attack } = await import(`./attacks/${name}.js`);
  return attack.about;
}

/** @param {Sample} before @param {Sample} after */
function isSettled(before, after) {
  const growth = after.heap + after.external - before.heap - before.external;
  return growth <= MAX_GROWTH_MIB * MIB;
}

/** @param {Sample} before @param {Sample} peak @param {Sample} after @param {Report} report */
function check(before, peak, after, { answered, worstMs }) {
  /** @type {string[]} */
  const failures = [];
  const rss = Math.max(peak.peakRss, after.peakRss) / MIB;
  if (rss > MAX_RSS_MIB[values.quick ? "all" : "one"]) failures.push(`RSS reached ${rss.toFixed(0)} MiB`);
  const received = after.receivedPeak / MIB;
  if (received > MAX_RECEIVED_MIB) failures.push(`unfinished input reached ${received.toFixed(0)} MiB`);
  if (!values.quick && !isSettled(before, after)) {
    const growth = (after.heap + after.external - before.heap - before.external) / MIB;
    failures.push(`${growth.toFixed(0)} MiB of heap and buffers are left, RSS is ${(after.rss / MIB).toFixed(0)} MiB`);
  }
  for (const what of ["session", "websocket", "get", "new session"]) {
    if ((answered[what] ?? 0) === 0) failures.push(`the good client: no answer on ${what}`);
    const worst = worstMs[what] ?? 0;
    if (worst > MAX_WAIT_MS)
      failures.push(`the good client: ${what} waited ${worst.toFixed(0)} ms, ${late(peak, after)}`);
  }
  return failures;
}

/** @param {Sample} peak @param {Sample} after */
function late(peak, after) {
  return `the server's event loop was late by up to ${Math.max(peak.lateMs, after.lateMs).toFixed(0)} ms`;
}

/** @param {ReturnType<typeof child>} good @returns {Promise<Report>} */
async function goodReport(good) {
  if (!good.isAlive()) return { answered: {}, worstMs: {}, failures: ["it ended"] };
  good.send("stop");
  const report = await Promise.race([good.answer(), good.exit.then(() => undefined), rest(40_000)]);
  good.kill();
  return report ?? { answered: {}, worstMs: {}, failures: ["it said nothing"] };
}

/** @param {string} file @param {string[]} args @param {string[]} [execArgv] */
function child(file, args, execArgv = []) {
  const process = fork(new URL(file, import.meta.url), args, { execArgv });
  let isAlive = true;
  const exit = once(process, "exit").then(([code, signal]) => {
    isAlive = false;
    return `${code ?? signal}`;
  });
  process.on("error", () => {});
  const answer = () =>
    /** @type {Promise<any>} */ (
      Promise.race([once(process, "message").then(([message]) => message), exit.then(() => undefined)])
    );
  return {
    exit,
    answer,
    isAlive: () => isAlive,
    /** @param {string} question */
    ask(question) {
      if (!isAlive) return Promise.resolve(undefined);
      const answered = answer();
      process.send(question);
      return answered;
    },
    /** @param {string} message */
    send: (message) => void (isAlive && process.send(message)),
    kill: () => void process.kill("SIGKILL"),
  };
}

function report() {
  const failed = outcomes.filter(({ failures }) => failures.length > 0);
  console.log(failed.length === 0 ? "the server held" : `failed: ${failed.map(({ name }) => name).join(", ")}`);
  if (failed.length > 0) process.exitCode = 1;
}

/** Called after each attack, so that an interrupted siege has its results so far. */
function save() {
  if (values["no-results"] || values.quick) return;
  mkdirSync(RESULTS, { recursive: true });
  const cpu = machine.cpu
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  const name = `${cpu}-${machine.cores}-cores-${machine.date.slice(0, 10)}`;
  const result = { seed, minutes, attackMs, heapMiB: HEAP_MIB, machine, outcomes };
  writeFileSync(new URL(`${name}.json`, RESULTS), `${JSON.stringify(result, undefined, 1)}\n`);
  writeFileSync(new URL(`${name}.md`, RESULTS), table(outcomes, true));
}
