// @ts-check
// Runs attacks one after the other, in a separate process: `node siege/attack.js NAME,NAME PORT ADDRESS MS SEED`, MS
// milliseconds each. Reports their counts, then closes all connections and ends.
import { setTimeout as rest } from "node:timers/promises";
import { Attacker } from "./lib/attacker.js";

const [names = "", port, address = "127.0.0.1", ms, seed] = process.argv.slice(2);
/** The time to wait for an attack that does not notice its end. */
const PATIENCE_MS = 5000;
/** @type {Record<string, number>} */
const counts = {};

for (const name of names.split(",")) {
  /** @type {{ default: import("./lib/attacker.js").Attack }} */
  const { default: attack } = await import(`./attacks/${name}.js`);
  const attacker = new Attacker(Number(port), address, Number(ms), Number(seed));
  await Promise.race([attack.run(attacker), rest(Number(ms) + PATIENCE_MS)]);
  attacker.end();
  for (const [what, count] of Object.entries(attacker.counts)) counts[what] = (counts[what] ?? 0) + count;
}
process.send?.(counts, () => process.exit());
