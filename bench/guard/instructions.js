// @ts-check
// The process whose instructions are counted: `node instructions.js CHECKOUT PATH…`. It runs each path until V8 has optimized it, and calls `mark` at the
// beginning and at the end of each window. It prints the number of operations in each window.
import { checkoutAt, loadEngine } from "../lib/engine.js";
import { beginPath } from "../lib/paths.js";
import { mark } from "../lib/valgrind.js";
import { WINDOWS } from "./count.js";

const SIZES = { connections: 16, members: 100 };
/** V8 optimizes the code of a GET for the last time after some 12,000 of them. */
const WARMUP = 15_000;
const WINDOW = 800;

const [checkout = "", ...names] = process.argv.slice(2);
const engine = await loadEngine(checkoutAt(checkout));
/** @type {number[]} */
const operations = [];
for (const name of names) {
  const path = await beginPath(name, { ...engine, ...SIZES });
  const run = async (/** @type {number} */ rounds) => {
    for (let i = rounds; i > 0; i--) await path.round();
    mark();
  };
  await run(Math.ceil(WARMUP / path.operations));
  const rounds = Math.ceil(WINDOW / path.operations);
  for (let window = 0; window < WINDOWS; window++) await run(rounds);
  operations.push(rounds * path.operations);
}
process.stdout.write(JSON.stringify(operations));
process.exit();
