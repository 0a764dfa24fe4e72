// @ts-check
// A process of versus/run.js: `node path.js CHECKOUT PATH` reads a number of rounds from each line and prints the shortest of them, in ns per
// operation.
import { createInterface } from "node:readline";
import { checkoutAt, loadEngine } from "../../lib/engine.js";
import { beginPath } from "../../lib/paths.js";

const [checkout = "", name = ""] = process.argv.slice(2);
const engine = await loadEngine(checkoutAt(checkout));
const { operations, round } = await beginPath(name, { ...engine, connections: 64, members: 1000 });
console.log(operations);
for await (const line of createInterface({ input: process.stdin })) {
  let shortest = Number.POSITIVE_INFINITY;
  for (let left = Number(line); left > 0; left--) {
    const start = process.hrtime.bigint();
    await round();
    shortest = Math.min(shortest, Number(process.hrtime.bigint() - start));
  }
  console.log(shortest / operations);
}
