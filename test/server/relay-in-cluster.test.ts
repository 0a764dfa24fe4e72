import assert from "node:assert/strict";
import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { describe, it } from "node:test";

const WORKER = new URL("../support/relay-worker.js", import.meta.url).pathname;

describe("the relay in node:cluster", () => {
  it("has a port of its own in each worker, while they share that of the clients", { timeout: 120_000 }, async (t) => {
    cluster.setupPrimary({ exec: WORKER, args: [], execArgv: [] });
    const workers = [1, 2].map(() => {
      const worker = cluster.fork();
      t.after(() => end(worker));
      return worker;
    });
    const told = await Promise.all(workers.map((worker) => once(worker, "message")));
    const addresses = told.map(([{ address }]) => String(address));
    for (const address of addresses) assert.match(address, /^tcp:127\.0\.0\.1:\d+$/);
    assert.notEqual(addresses[0], addresses[1]);
  });
});

async function end(worker: Worker): Promise<void> {
  if (worker.isDead()) return;
  const exit = once(worker, "exit");
  worker.process.kill("SIGTERM");
  await exit;
}
