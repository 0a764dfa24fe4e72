// @ts-check
// A long run of one fuzzer: node scripts/fuzz.js http1 --minutes 10 [--seed 1]
import { existsSync, readdirSync } from "node:fs";
import { parseArgs } from "node:util";

const FUZZERS = "dist/fuzz/";
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: "string", default: "1" }, seed: { type: "string" } },
});
const [name = ""] = positionals;
const file = [`${name}.js`, `${name}-differential.js`].find(
  (candidate) => name !== "" && existsSync(FUZZERS + candidate),
);
if (file === undefined) {
  const names = readdirSync(FUZZERS).filter((other) => /^(.*-differential|neighbours)\.js$/.test(other));
  console.error(`which fuzzer? ${names.map((other) => other.replace(/(-differential)?\.js$/, "")).join(", ")}`);
  process.exit(1);
}
const seed = values.seed === undefined ? Date.now() >>> 0 : Number(values.seed);
console.log(`${name}: seed ${seed}, ${values.minutes} min`);
const { fuzz } = await import(new URL(`../${FUZZERS}${file}`, import.meta.url).href);
const { cases, counts, failures } = await fuzz({ seed, minutes: Number(values.minutes) });
console.log(`${cases} cases`);
for (const [what, count] of counts) console.log(`${String(count).padStart(9)}  ${what}`);
for (const failure of failures) console.error(`\n${failure}`);
process.exit(failures.length === 0 ? 0 : 1);
