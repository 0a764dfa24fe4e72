// The example of the Model Context Protocol with its official SDK: a client of the SDK whose connections are cut again and again
// gets each notification once, in order, and the result of its tool.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { FaultProxy } from "../support/fault-proxy.ts";
import { needsMcpSdk } from "../support/mcp-sdk.ts";
import { until } from "../support/wait.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

const COUNT = 300;

describe("examples/mcp", { skip: needsMcpSdk(), timeout: TIMEOUT_MS }, () => {
  it("has no type errors with the types of the SDK, which takes the event store as it is", () => {
    const args = ["node_modules/typescript/bin/tsc", "-p", "examples/mcp"];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.equal(status, 0, stdout);
  });

  it("gives a client that is cut in the middle, again and again, each notification once and the result", (t) =>
    runExample(t, "mcp/server", async ({ url }) => {
      const proxy = await FaultProxy.start(t, Number(new URL(url).port));
      const child = spawn(process.execPath, ["examples/mcp/client.js", proxy.url, String(COUNT)]);
      t.after(() => child.kill());
      let output = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (output += String(bytes)));
      const seen = () => output.match(/^\d+$/gm) ?? [];
      for (const at of [10, 60, 61, 120, 200, 280]) {
        await until(() => seen().length >= at || child.exitCode !== null, `${at} notifications have come: ${output}`);
        proxy.cut();
      }
      await until(() => child.exitCode !== null, `the client has its result: ${output}`);
      assert.deepEqual(
        seen().map(Number),
        Array.from({ length: COUNT }, (_, i) => i + 1),
      );
      assert.match(output, new RegExp(`counted to ${COUNT}`));
      assert.ok(proxy.accepted > 6, `${proxy.accepted} connections`);
    }));
});
