// @ts-check
// The process whose instructions are counted: `node instructions.js BUNDLE PATH…`. It calls `mark` at the beginning and at the end of each window of a path, and
// prints the number of operations in a window of each path, or why there is none.
import "../lib/still-time.js";
import { loadBundle } from "../lib/engine.js";
import { mark } from "../lib/valgrind.js";
import { WINDOWS } from "./count.js";
import { beginWarm, warmTurns } from "./work.js";

const WINDOW = 640;

const [bundle = "", ...names] = process.argv.slice(2);
await warmTurns();
/** @type {(number | string)[]} */
const counted = [];
for (const name of names) {
  try {
    const { run } = await beginWarm(name, await loadBundle(bundle));
    mark();
    let operations = 0;
    for (let window = 0; window < WINDOWS; window++) {
      operations = await run(WINDOW);
      mark();
    }
    counted.push(operations);
  } catch (error) {
    // A checkout from before a feature has no such path.
    counted.push(String(error));
  }
}
process.stdout.write(JSON.stringify(counted));
process.exit();
