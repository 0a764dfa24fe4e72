import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { before } from "node:test";
import { needsFrameworks } from "./app.ts";
import { frameworkSuite } from "./suite.ts";

const ENV = { NEXT_TELEMETRY_DISABLED: "1" };

// Production. The development server has a test of its own.
if (needsFrameworks() === false) {
  before(() => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["../node_modules/next/dist/bin/next", "build"], {
      cwd: "examples/frameworks/next",
      env: { ...process.env, ...ENV, NODE_ENV: "production" },
      encoding: "utf8",
    });
    assert.equal(status, 0, `${stdout}${stderr}`);
  });
}

frameworkSuite({
  name: "next",
  program: "server.js",
  env: { ...ENV, NODE_ENV: "production" },
  page: /a page of Next/,
  otherUpgrade: { path: () => "/other", says: /^from ws$/ },
  lacks: {},
});
