// @ts-check
// The paths as both kinds of the guard run them: small, and for so long that V8 has optimized all that they use.
import { beginPath } from "../lib/paths.js";

/**
 * The paths whose instructions `guard.json` has: one that takes no more than its turn of each part of the engine. A path takes some 8 s, half a GB of
 * instructions of V8's compiler among them.
 */
export const COUNTED = [
  "http-hello",
  "http-churn",
  "ws-echo-32-1",
  "ws-echo-64k-text",
  "ws-echo-typed",
  "session-echo",
  "session-request",
  "publish-1",
  "publish-16",
];

/**
 * Options of node with which V8 does the same in each run. The instructions of a GET differ by 6 % from one run to the next with none of them, by 1.2 % with one
 * thread, by 0.5 % with all but a clock that stands still, and by 0.05 % with all.
 */
export const FLAGS = [
  // Optimizes at the same moments in each run.
  "--predictable",
  "--single-threaded",
  "--hash-seed=1",
  "--random-seed=1",
  // Optimizes after a third of the usual work: the last function of a GET after some 6,000 of them.
  "--interrupt-budget=22500",
  // No garbage is collected while operations are counted: the new space is large enough.
  "--min-semi-space-size=256",
  "--max-semi-space-size=256",
];

const SIZES = { connections: 16, members: 50 };
const WARMUP = 7000;
/** Operations before anything is counted, where they are others. A group needs some 500 publishes, which are many deliveries. */
const WARMUPS = new Map([
  ["http-pipelined", 15_000],
  ["ws-echo-32-16", 15_000],
  ["ws-echo-16k", 2000],
  ["ws-echo-64k-text", 1000],
  ["ws-echo-64k-bytes", 1000],
  ["ws-deflate-1k", 1000],
  ["publish-1", 25_000],
  ["publish-16", 50_000],
  ["publish-sse", 25_000],
  ["publish-sse-16", 50_000],
  ["publish-session", 15_000],
  ["publish-latest", 25_000],
  ["publish-stream", 25_000],
]);

/** Node's own code for a turn of the event loop is optimized before the first path, as it is before all others. */
export async function warmTurns() {
  for (let i = 2000; i > 0; i--) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * A path, and a function that does at least so many operations and returns their number. It has done those of the warm-up.
 * @param {string} name @param {Omit<import("../lib/paths.js").Engine, keyof typeof SIZES>} engine
 */
export async function beginWarm(name, engine) {
  const path = await beginPath(name, { ...engine, ...SIZES });
  const run = async (/** @type {number} */ operations) => {
    const rounds = Math.ceil(operations / path.operations);
    for (let i = rounds; i > 0; i--) await path.round();
    return rounds * path.operations;
  };
  await run(WARMUPS.get(name) ?? WARMUP);
  return { path, run };
}
