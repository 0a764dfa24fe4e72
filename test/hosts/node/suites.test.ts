// The suites of the server that matter to every host, with their servers inside node:http: sessions, groups, faults, leaving
// clients, limits for all clients together. Each file runs in a process of its own, where `serving` attaches.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, it } from "node:test";

const SUITES = [
  "channel/overflow",
  "fault/closing",
  "fault/resets",
  "group/catching-up",
  "group/poll",
  "server/event-stream",
  "server/expiry-requests",
  "server/session-channel",
  "server/session-cuts",
  "server/session-stop",
  "server/session-times",
  "server/signal",
  "server/ticks",
  "server/ws-handshake",
  "server/ws-messages",
];

interface Run {
  readonly status: number | null;
  readonly output: string;
}

function run(suite: string): Promise<Run> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(
    process.execPath,
    ["--enable-source-maps", "--test", "--test-reporter=tap", `dist/test/${suite}.test.js`],
    { env: { ...env, UNICHANNEL_TEST_HOST: "node-http" } },
  );
  let output = "";
  child.stdout.on("data", (part) => void (output += part));
  child.stderr.on("data", (part) => void (output += part));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, output }));
  });
}

describe("inside a server of node:http", { concurrency: 3 }, () => {
  for (const suite of SUITES) {
    it(`passes test/${suite}.test.ts`, async () => {
      const { status, output } = await run(suite);
      assert.equal(status, 0, output.slice(-8000));
    });
  }

  it("runs with attach: a suite of an option that belongs to the host fails", async () => {
    const { status, output } = await run("server/admission");
    assert.notEqual(status, 0);
    assert.match(output, /attach has no maxConnections, because the server is yours/);
  });
});
