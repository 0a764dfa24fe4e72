// @ts-check
// The end of a program that has started others: it leaves no process and no folder behind, also when it is interrupted.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @type {Set<() => void>} */
const endings = new Set();
process.on("exit", () => {
  for (const end of endings) end();
});

/** Exits, and does not just die, when the program is interrupted. For programs that have no end of their own for this. */
export function exitOnSignals() {
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]))
    process.on(signal, () => process.exit(130));
}

/** Kills the process if it still runs when this one exits. @template {import("node:child_process").ChildProcess} Child @param {Child} child @returns {Child} */
export function endedAtExit(child) {
  const end = () => void child.kill("SIGKILL");
  endings.add(end);
  child.once("exit", () => endings.delete(end));
  return child;
}

/** A folder of its own that is removed by `remove`, or when this process exits. @param {string} prefix */
export function temporaryFolder(prefix) {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  const remove = () => {
    endings.delete(remove);
    // A process that was killed a moment ago may still write.
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  endings.add(remove);
  return { folder, remove };
}
