// @ts-check
// Instructions of hot paths, each counted in windows of the same work.
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../lib/at-exit.js";
import { bundleEngine, checkoutAt } from "../lib/engine.js";
import { countParts } from "../lib/valgrind.js";
import { FLAGS } from "./work.js";

export const WINDOWS = 5;
const PROGRAM = fileURLToPath(new URL("instructions.js", import.meta.url));

/**
 * Instructions per operation of each path of a built checkout. A path that it does not have has the reason.
 * @param {string} checkout a folder @param {readonly string[]} names
 * @param {number} [processes] that share the paths
 * @returns {Promise<Map<string, number | string>>}
 */
export async function countPaths(checkout, names, processes = 1) {
  const { folder, remove } = temporaryFolder("bench-guard-");
  try {
    const bundle = await bundleEngine(checkoutAt(checkout), folder);
    const shares = Array.from({ length: processes }, (_, i) => names.filter((_, at) => at % processes === i));
    const counts = await Promise.all(shares.map((share) => countShare(bundle, share)));
    return new Map(counts.flatMap((count) => [...count]));
  } finally {
    remove();
  }
}

/** @param {string} bundle @param {readonly string[]} names */
async function countShare(bundle, names) {
  if (names.length === 0) return new Map();
  const { output, parts } = await countParts([...FLAGS, PROGRAM, bundle, ...names]);
  return perOperation(names, JSON.parse(output), parts);
}

/**
 * The least of the windows of each path: the compiler, which may run in one of them, can only add. Each path has a part for its start and its warm-up, then its
 * windows; a path that could not run has none.
 * @param {readonly string[]} names
 * @param {readonly (number | string)[]} operations of a window of each path, or why it could not run
 * @param {readonly number[]} parts
 * @returns {Map<string, number | string>}
 */
export function perOperation(names, operations, parts) {
  const ran = operations.filter((each) => typeof each === "number").length;
  if (operations.length !== names.length || parts.length !== ran * (1 + WINDOWS)) {
    throw new Error(`callgrind has counted ${parts.length} parts for ${ran} of ${names.length} paths`);
  }
  /** @type {Map<string, number | string>} */
  const counts = new Map();
  let first = 0;
  for (const [i, name] of names.entries()) {
    const each = operations[i] ?? "";
    if (typeof each === "number") {
      first += 1 + WINDOWS;
      counts.set(name, Math.round(Math.min(...parts.slice(first - WINDOWS, first)) / each));
    } else counts.set(name, each);
  }
  return counts;
}
