// @ts-check
// `npm run bench:guard`: measurements without a clock, which show a regression even on a busy machine. Heap bytes and writes per
// operation, and the heap of a silent connection, compared with those of guard.json. `-- --update` writes that file again.
// Each major version of Node has its own numbers; versions without numbers only print theirs.
// `node bench/guard.js --before ../before [PATH…]` compares the instructions of two checkouts, both installed and built.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { countPaths } from "./guard/count.js";
import { PATH_NAMES } from "./lib/paths.js";
import { whyNotCounted } from "./lib/valgrind.js";

/** Optimized code and inline caches differ a little from run to run. */
const TOLERANCE = 0.03;
const TOLERANCE_BYTES = 16;

const BASELINE = new URL("guard.json", import.meta.url);
const MAJOR = process.version.slice(1).split(".")[0] ?? "";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { update: { type: "boolean", default: false }, before: { type: "string" } },
});
if (values.before !== undefined) {
  await compare(values.before, positionals.length > 0 ? positionals : PATH_NAMES);
  process.exit();
}

// No garbage collection while operations are counted: the young generation is large enough for all allocations.
const flags = ["--expose-gc", "--min-semi-space-size=256", "--max-semi-space-size=256", "--single-threaded"];
const script = fileURLToPath(new URL("guard/measure.js", import.meta.url));
const child = spawnSync(process.execPath, [...flags, script], {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
});
if (child.status !== 0) process.exit(1);

/** @type {Record<string, Record<string, number>>} */
const measured = JSON.parse(child.stdout);
/** @type {Record<string, Record<string, Record<string, number>>>} */
const baselines = JSON.parse(readFileSync(BASELINE, "utf8"));
const baseline = baselines[MAJOR];

if (values.update) {
  writeFileSync(BASELINE, `${JSON.stringify({ ...baselines, [MAJOR]: measured }, null, 2)}\n`);
  console.log(`bench/guard.json has the numbers of Node ${MAJOR} now`);
}

let worse = 0;
for (const [name, counts] of Object.entries(measured)) {
  for (const [what, value] of Object.entries(counts)) {
    const wanted = baseline?.[name]?.[what];
    const limit = wanted === undefined ? undefined : allowed(what, wanted);
    const isWorse = limit !== undefined && value > limit && !values.update;
    if (isWorse) worse++;
    const beside = wanted === undefined ? "no number to compare with" : `${wanted} in guard.json`;
    console.log(`${isWorse ? "WORSE " : "      "}${name}: ${value} ${what} (${beside})`);
  }
}
if (worse > 0) {
  console.error(
    `\n${worse} numbers are worse than in bench/guard.json. Find out what allocates or writes more (node --heap-prof); if it is ` +
      "worth its price, say so in the change and run `npm run bench:guard -- --update`.",
  );
  process.exit(1);
}

/** @param {string} what @param {number} wanted */
function allowed(what, wanted) {
  return what.startsWith("bytes") ? wanted * (1 + TOLERANCE) + TOLERANCE_BYTES : wanted;
}

/** Prints the instructions of paths of two checkouts. @param {string} before @param {readonly string[]} names */
async function compare(before, names) {
  const reason = whyNotCounted();
  if (reason !== undefined) throw new Error(`instructions cannot be counted: ${reason}`);
  const [was, is] = await Promise.all([before, "."].map((checkout) => countPaths(checkout, names)));
  for (const name of names) {
    const [old = Number.NaN, now = Number.NaN] = [was?.get(name), is?.get(name)];
    const each = [old, now].map((value) => value.toFixed(0).padStart(8)).join(" → ");
    console.log(`${name.padEnd(16)} ${each} instructions each, now / before ${(now / old).toFixed(4)}`);
  }
}
