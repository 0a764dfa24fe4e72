// Ends programs that a test has spawned, with what they have spawned themselves.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { within } from "./wait.ts";

/**
 * Sends SIGTERM, so that the program also stops what it has started, and waits for its last output. Rejects if it goes on, or if a
 * process that it has started holds the pipe of its output. In any case what is left of its group is killed. `child`: spawned
 * with `detached: true`, as the first of a group of its own.
 */
export async function endProgram(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  try {
    if (child.exitCode === null && child.signalCode === null) {
      // "close" instead of "exit": the output has arrived by then.
      const closed = once(child, "close");
      child.kill("SIGTERM");
      await within(closed, () => `the end of ${child.spawnargs.join(" ")}, and of all that it has started`);
    }
  } finally {
    signalGroup(child, "SIGKILL");
  }
  return { code: child.exitCode, signal: child.signalCode };
}

/** Sends a signal to a program that was spawned with `detached: true`, and to what it has started. */
export function signalGroup(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, name);
  } catch {
    // All of them have ended.
  }
}
