// @ts-check
// The server's side of processes.js: reports its port, and its memory on request.
import { setTimeout as sleep } from "node:timers/promises";

/**
 * @param {number} port
 * @param {() => number} [open] the number of clients; for the rows that measure memory
 * @param {readonly number[]} [pids] the ids of further processes of this server
 */
export function ready(port, open = () => 0, pids = []) {
  process.on("message", async (question) => {
    if (question === "memory") process.send?.(await memory(open));
  });
  process.on("disconnect", () => process.exit());
  process.send?.({ port, pids });
}

/** @param {() => number} open */
async function memory(open) {
  const { Bun: bun } = /** @type {{ Bun?: { gc(wait: boolean): void } }} */ (globalThis);
  // Twice with a pause: finalizers run in between, and V8 returns pages a little later.
  for (let round = 0; round < 2; round++) {
    globalThis.gc?.();
    bun?.gc(true);
    await sleep(100);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { open: open(), rss, heapUsed, external };
}
