// Waits until the process has read the bytes that the system has received for it. After a busy time, these are many.

import { runtime } from "./runtime.ts";

/**
 * Calls `run` after the reads of all bytes that the system has. Node reads before setImmediate. Bun reads before the second
 * one. Deno 2.9 reads after some 60 turns of setImmediate, but before a timer that was set in one.
 */
export function afterReads(run: () => void): void {
  setImmediate(runtime === "deno" ? () => setTimeout(run, 0) : () => setImmediate(run));
}
