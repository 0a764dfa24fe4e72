// @ts-check
// Instructions of hot paths, each counted in windows of the same work.
import { fileURLToPath } from "node:url";
import { countParts } from "../lib/valgrind.js";

export const WINDOWS = 6;
const PROGRAM = fileURLToPath(new URL("instructions.js", import.meta.url));

/**
 * Instructions per operation of each path, in one process.
 * @param {string} checkout a folder @param {readonly string[]} names
 * @returns {Promise<Map<string, number>>}
 */
export async function countPaths(checkout, names) {
  const { output, parts } = await countParts([PROGRAM, checkout, ...names]);
  return perOperation(names, JSON.parse(output), parts);
}

/**
 * The least of the windows of each path: a timer or the compiler, which may run in one of them, can only add. Each path has a part for its start and its warm-up,
 * then its windows.
 * @param {readonly string[]} names @param {readonly number[]} operations of a window of each path @param {readonly number[]} parts
 */
export function perOperation(names, operations, parts) {
  const expected = names.length * (1 + WINDOWS);
  if (parts.length !== expected) throw new Error(`callgrind has counted ${parts.length} parts instead of ${expected}`);
  return new Map(
    names.map((name, i) => {
      const first = i * (1 + WINDOWS) + 1;
      return [name, Math.min(...parts.slice(first, first + WINDOWS)) / Number(operations[i])];
    }),
  );
}
