// A garbage collection at once: for tests of what is kept in memory.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { runtime } from "../../src/base/runtime.ts";

/** Returns a function that collects all garbage. */
export function collector(): () => void {
  if (runtime === "bun") {
    const { Bun } = globalThis as unknown as { Bun: { gc(isSync: boolean): void } };
    return () => Bun.gc(true);
  }
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
