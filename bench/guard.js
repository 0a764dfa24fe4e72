// @ts-check
// `npm run bench:guard`: measurements without a clock, which show a regression even on a busy machine, compared with those of guard.json: heap bytes, writes and
// processor instructions per operation of the paths of lib/paths.js, and the heap of a silent connection.
//   node bench/guard.js [PATH…]                       compares
//   node bench/guard.js --update [PATH…]              writes guard.json again, and prints what has changed
//   node bench/guard.js --before ../before [PATH…]    compares the instructions of two checkouts, both installed and built
// Each major version of Node has its own numbers, and each processor architecture its own instructions; without numbers they are only printed.
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { compareCounts, INSTRUCTIONS, toChanges, toLine } from "./guard/compare.js";
import { countPaths } from "./guard/count.js";
import { COUNTED, FLAGS } from "./guard/work.js";
import { exitOnSignals } from "./lib/at-exit.js";
import { PATH_NAMES } from "./lib/paths.js";
import { valgrindVersion } from "./lib/valgrind.js";

/** @typedef {import("./guard/compare.js").Counts} Counts */

const BASELINE = new URL("guard.json", import.meta.url);
const MEASURE = fileURLToPath(new URL("guard/measure.js", import.meta.url));
const OWN = fileURLToPath(new URL("../", import.meta.url));
const HEAP = process.version.slice(1).split(".")[0] ?? "";
const MACHINE = `${HEAP} ${process.arch}`;
/** A third process counts heap bytes, and is done first. */
const PROCESSES = 2;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { update: { type: "boolean", default: false }, before: { type: "string" } },
});
const unknown = positionals.filter((name) => !PATH_NAMES.includes(name));
if (unknown.length > 0) {
  console.error(`there is no path ${unknown.join(", ")}, but ${PATH_NAMES.join(", ")}`);
  process.exit(2);
}

exitOnSignals();
const valgrind = valgrindVersion();
if (values.before === undefined) await guard();
else await compareCheckouts(values.before, positionals.length > 0 ? positionals : COUNTED);

async function guard() {
  const counter = `node ${process.version}, ${valgrind}`;
  const [heap, instructions] = await Promise.all([countHeap(), countInstructions()]);
  /** @type {Counts} */
  const measured = {};
  for (const [name, counts] of Object.entries(heap)) measured[name] = { ...counts, ...instructions[name] };

  /** @type {{ heap: Record<string, Counts>, instructions: Record<string, { counter: string, paths: Record<string, number> }> }} */
  const baselines = JSON.parse(readFileSync(BASELINE, "utf8"));
  const own = baselines.instructions[MACHINE];
  const baseline = merged(baselines.heap[HEAP] ?? {}, toCounts(own?.paths ?? {}));
  const rows = compareCounts(measured, baseline);

  if (values.update) {
    const paths = Object.fromEntries(
      Object.entries(instructions).map(([name, counts]) => [name, counts[INSTRUCTIONS] ?? 0]),
    );
    const isAll = positionals.length === 0;
    baselines.heap[HEAP] = isAll ? heap : { ...baselines.heap[HEAP], ...heap };
    if (valgrind !== undefined) {
      baselines.instructions[MACHINE] = { counter, paths: isAll ? paths : { ...own?.paths, ...paths } };
    }
    writeFileSync(BASELINE, `${JSON.stringify(baselines, null, 2)}\n`);
    const changes = toChanges(rows);
    console.log(
      `bench/guard.json has the numbers of Node ${HEAP} now; ${changes.length} of ${rows.length} have changed`,
    );
    for (const line of changes) console.log(`  ${line}`);
    return;
  }

  for (const row of rows) console.log(toLine(row));
  const unguarded = [
    ...new Set(rows.filter(({ before }) => before === undefined).map(({ name, what }) => `${what} of ${name}`)),
  ];
  if (unguarded.length > 0) {
    console.error(
      `\nguard.json has no number for these, so nothing guards them: ${unguarded.join(", ")}. \`npm run bench:guard -- --update\` writes them.`,
    );
    // A machine of which guard.json knows nothing would pass whatever it counts.
    const isKnown = baselines.heap[HEAP] !== undefined && (valgrind === undefined || own !== undefined);
    if (process.env.UNICHANNEL_REQUIRE_ALL && !isKnown) process.exitCode = 1;
  }
  const worse = rows.filter(({ isWorse }) => isWorse);
  if (worse.length === 0) return;
  console.error(`\n${worse.length} numbers are worse than in bench/guard.json:`);
  for (const row of worse) console.error(toLine(row));
  console.error(
    "\nFind out what does, allocates or writes more: `node bench/guard.js --before CHECKOUT PATH` counts a path here and in another checkout, " +
      "`node --heap-prof` and `node --cpu-prof` show where. If it is worth its price, say so in the change and run `npm run bench:guard -- --update`.",
  );
  if (own !== undefined && valgrind !== undefined && own.counter !== counter) {
    console.error(
      `The instructions of guard.json were counted with ${own.counter}, these with ${counter}: that alone may change them.`,
    );
  }
  process.exitCode = 1;
}

/** Heap bytes and writes. @returns {Promise<Counts>} */
async function countHeap() {
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", ...FLAGS, MEASURE, ...positionals]);
  return JSON.parse(stdout);
}

/** Nothing where there is no valgrind, unless all programs are required, as in CI. @returns {Promise<Counts>} */
async function countInstructions() {
  if (valgrind === undefined) {
    const reason = "valgrind is not installed (Debian: apt-get install valgrind)";
    if (process.env.UNICHANNEL_REQUIRE_ALL) throw new Error(`instructions cannot be counted: ${reason}`);
    console.log(`skipped: instructions, because ${reason}`);
    return {};
  }
  const names = COUNTED.filter((name) => positionals.length === 0 || positionals.includes(name));
  /** @type {Record<string, number>} */
  const paths = {};
  for (const [name, each] of await countPaths(OWN, names, PROCESSES)) {
    if (typeof each === "string") throw new Error(`${name} does not run: ${each}`);
    paths[name] = each;
  }
  return toCounts(paths);
}

/** @param {Record<string, number>} paths @returns {Counts} */
function toCounts(paths) {
  return Object.fromEntries(Object.entries(paths).map(([name, each]) => [name, { [INSTRUCTIONS]: each }]));
}

/** @param {Counts} some @param {Counts} others @returns {Counts} */
function merged(some, others) {
  return Object.fromEntries(
    [...Object.keys(some), ...Object.keys(others)].map((name) => [name, { ...some[name], ...others[name] }]),
  );
}

/** Prints the instructions of paths of two checkouts. @param {string} before @param {readonly string[]} names */
async function compareCheckouts(before, names) {
  if (valgrind === undefined)
    throw new Error("instructions cannot be counted: valgrind is not installed (Debian: apt-get install valgrind)");
  const [were, are] = await Promise.all([before, OWN].map((checkout) => countPaths(checkout, names)));
  for (const name of names) {
    const [was = "", is = ""] = [were?.get(name), are?.get(name)];
    if (typeof was === "string" || typeof is === "string") {
      const [side, reason] = typeof was === "string" ? [before, was] : [OWN, is];
      console.log(`${name.padEnd(17)} does not run in ${side}: ${reason}`);
    } else {
      const each = [was, is].map((value) => `${value}`.padStart(8)).join(" → ");
      console.log(`${name.padEnd(17)} ${each} instructions each, now / before ${(is / was).toFixed(3)}`);
    }
  }
}
