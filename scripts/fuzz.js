// @ts-check
// A long run of one fuzzer, or of all: node scripts/fuzz.js http1 --minutes 10 [--seed 1] [--record]
// With --record what it found is written to fuzz/results/DATE-NAME.json.
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { machineFacts } from "../bench/lib/machine.js";

const FUZZERS = new URL("../dist/fuzz/", import.meta.url);
const RESULTS = new URL("../fuzz/results/", import.meta.url);

/** The file of each fuzzer by its short name. */
const files = new Map(
  readdirSync(FUZZERS)
    .filter((file) => /^(.+-differential|.+-property|neighbours)\.js$/.test(file))
    .map((file) => [file.replace(/(-differential|-property)?\.js$/, ""), file]),
);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    record: { type: "boolean", default: false },
  },
});
const names = positionals[0] === "all" ? [...files.keys()] : positionals;
if (names.length === 0 || names.some((name) => !files.has(name))) {
  console.error(`which fuzzer? ${[...files.keys()].join(", ")}, or all`);
  process.exit(1);
}
const seed = values.seed === undefined ? Date.now() >>> 0 : Number(values.seed);
const minutes = Number(values.minutes);
for (const name of names) {
  console.log(`${name}: seed ${seed}, ${minutes} min`);
  const { fuzz } = await import(new URL(files.get(name) ?? "", FUZZERS).href);
  const { cases, counts, failures } = await fuzz({ seed, minutes });
  console.log(`${cases} cases`);
  for (const [what, count] of counts) console.log(`${String(count).padStart(9)}  ${what}`);
  for (const failure of failures) console.error(`\n${failure}`);
  if (failures.length > 0) process.exitCode = 1;
  if (!values.record) continue;
  const machine = machineFacts();
  mkdirSync(RESULTS, { recursive: true });
  const found = { fuzzer: name, seed, minutes, cases, counts: Object.fromEntries(counts), failures, machine };
  const file = new URL(`${machine.date.slice(0, 10)}-${name}.json`, RESULTS);
  writeFileSync(file, `${JSON.stringify(found, undefined, 2)}\n`);
}
// Sockets that the other server of a comparison left open must not keep the process alive.
process.exit();
