import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";

const skip = process.platform === "linux" ? false : "it reads /proc";

/** A thread that works when it is told to, and ends when it is told to. */
const PROGRAM = `
  const { Worker } = require("node:worker_threads");
  const work = "for (const until = performance.now() + 200; performance.now() < until; );";
  const thread = new Worker(work + 'require("node:worker_threads").parentPort.once("message", () => process.exit()).postMessage("worked")', { eval: true });
  thread.once("message", () => process.send("worked"));
  thread.once("exit", () => process.send("ended"));
  process.once("message", () => thread.postMessage("end"));
  process.once("disconnect", () => process.exit());
`;

describe("the CPU time of a process", { skip }, () => {
  it("still has that of a thread that has ended", async () => {
    const { cpuSecondsOf } = await import(pathToFileURL("bench/lib/cpu.js").href);
    const child = spawn(process.execPath, ["-e", PROGRAM], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    try {
      assert.deepEqual(await once(child, "message"), ["worked", undefined]);
      const before = cpuSecondsOf([child.pid]);
      child.send("end");
      assert.deepEqual(await once(child, "message"), ["ended", undefined]);
      const after = cpuSecondsOf([child.pid]);
      assert.ok(after >= before, `${after} s after ${before} s`);
    } finally {
      child.kill();
    }
  });
});
