// Another process of a cluster, which a test can kill without notice.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Child {
  /** Its first output. */
  readonly said: string;
  kill(): Promise<void>;
}

/** Runs a module beside this one; resolves when it has said something. */
export async function spawnChild(module: string, order: object): Promise<Child> {
  const path = fileURLToPath(new URL(module.replace(/\.ts$/, ".js"), import.meta.url));
  const child = spawn(process.execPath, ["--enable-source-maps", path, JSON.stringify(order)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  const first = await Promise.race([once(child.stdout, "data"), exit.then(() => undefined)]);
  assert.ok(first !== undefined, "the child said something");
  return {
    said: String(first[0]).trim(),
    async kill() {
      if (child.exitCode === null) child.kill("SIGKILL");
      await exit;
    },
  };
}
