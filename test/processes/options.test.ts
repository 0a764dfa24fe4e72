// Wrong arguments, and processes that are no workers of `runProcesses`. Also runs on Bun and Deno.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import cluster from "node:cluster";
import { once } from "node:events";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { PROTOCOL_VERSION } from "../../src/backplane/processes/kinds.ts";
import { runtime } from "../../src/base/runtime.ts";
import { processBackplane, processSessions, runProcesses } from "../../src/processes.ts";

const run = (): { stop(): void } => ({ stop() {} });

describe("runProcesses", () => {
  for (const count of [0, -1, 1.5, Number.NaN, 1025, "2", "all", undefined, null]) {
    it(`refuses ${JSON.stringify(count) ?? count} processes`, async () => {
      const bad = { code: "BAD_OPTION", message: /count is .*; it must be "auto", or an integer from 1 to 1024/ };
      await assert.rejects(runProcesses(count as never, run), bad);
    });
  }

  it("refuses something that is no function, and options that it does not know or that are wrong", async () => {
    const bad = { code: "BAD_OPTION" };
    await assert.rejects(runProcesses(1, {} as never), bad);
    for (const options of [{ stop: 1 }, { stopMs: -1 }, { stopMs: "1" }, { onError: 1 }, null]) {
      await assert.rejects(runProcesses(1, run, options as never), bad, JSON.stringify(options));
    }
  });

  it("says what to do on another runtime than Node", { skip: runtime === "node" && "this is Node" }, async () => {
    const bad = {
      code: "BAD_OPTION",
      message: /needs the module cluster of Node.* unichannel\/redis or unichannel\/nats/,
    };
    await assert.rejects(runProcesses(2, run), bad);
  });

  it("says that Windows has no sockets for it", {
    skip: runtime !== "node" && "the runtime is refused first",
  }, async (t) => {
    const { platform } = process;
    t.after(() => Object.defineProperty(process, "platform", { value: platform }));
    Object.defineProperty(process, "platform", { value: "win32" });
    await assert.rejects(runProcesses(2, run), { code: "BAD_OPTION", message: /Windows has none/ });
  });

  it("says that a program without a file has no workers", {
    skip: runtime !== "node" && "the runtime is refused first",
  }, () => {
    const entry = new URL("../../src/processes.js", import.meta.url);
    const program = `const { runProcesses } = await import(${JSON.stringify(entry)}); await runProcesses(1, () => ({ stop() {} }));`;
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
    });
    assert.equal(status, 1);
    assert.match(stderr, /put the program into a file/);
  });

  describe("in the worker of another cluster", { skip: runtime !== "node" && "cluster is Node's" }, () => {
    const said = async (environment: Readonly<Record<string, string>>): Promise<string> => {
      cluster.setupPrimary({ exec: fileURLToPath(new URL("../support/foreign-worker.js", import.meta.url)), args: [] });
      const worker = cluster.fork(environment);
      const exit = once(worker, "exit");
      const [message] = (await once(worker, "message")) as [string];
      await exit;
      return message;
    };

    it("is refused", async () => {
      assert.match(await said({}), /^BAD_OPTION .*a worker of another cluster/);
    });

    it("is refused by a worker whose hub has another version", async () => {
      const message = await said({ UNICHANNEL_HUB: `${PROTOCOL_VERSION + 1}:/tmp/hub.sock` });
      assert.match(message, /^BAD_OPTION .*stop the whole service, and start it again/);
    });
  });
});

describe("processBackplane and processSessions", () => {
  it("say where they are to be called, in a process that is no worker, also one that a worker has started", () => {
    for (const path of [undefined, `${PROTOCOL_VERSION}:/tmp/hub.sock`]) {
      if (path !== undefined) process.env["UNICHANNEL_HUB"] = path;
      const bad = {
        code: "BAD_OPTION",
        message: /in the function that runProcesses calls in each worker.* call it there/,
      };
      assert.throws(() => processBackplane(), bad);
      assert.throws(() => processSessions(), bad);
    }
    delete process.env["UNICHANNEL_HUB"];
  });

  it("refuse options that they do not know, or that are wrong", () => {
    for (const options of [{ aliveMs: 1 }, { timeoutMs: 0 }, { maxPendingBytes: -1 }, { onError: 1 }, null, []]) {
      assert.throws(() => processBackplane(options as never), { code: "BAD_OPTION" }, JSON.stringify(options));
      assert.throws(() => processSessions(options as never), { code: "BAD_OPTION" }, JSON.stringify(options));
    }
  });
});
