// A benchmark that is interrupted ends the servers, the load and the broker that it has started, and removes the broker's folder.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { needs } from "../support/needs.ts";

const skip = process.platform === "linux" ? needs("redis-server") : "it reads /proc";

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  it(`leaves nothing behind after ${signal}`, { skip }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "interrupted-"));
    try {
      const args = ["bench/run.js", "redis-2", "--quick", "--peers", "unichannel"];
      const bench = spawn(process.execPath, args, { stdio: "ignore", env: { ...process.env, TMPDIR: folder } });
      const ended = once(bench, "exit");
      const list = `/proc/${bench.pid}/task/${bench.pid}/children`;
      let children: string[] = [];
      // Redis, two servers, and the load.
      while (children.length < 4) {
        assert.equal(bench.exitCode, null, "the run has ended before it was interrupted");
        children = readFileSync(list, "utf8").split(" ").filter(Boolean);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      bench.kill(signal);
      assert.deepEqual(await ended, [130, null]);
      // A process that was killed a moment ago may still be a zombie of whoever reaps it.
      const isAlive = (pid: string): boolean =>
        existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
      while (children.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 20));
      assert.deepEqual(readdirSync(folder), []);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
