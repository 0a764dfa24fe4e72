import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { before } from "node:test";
import { needsFrameworks } from "./app.ts";
import { frameworkSuite } from "./suite.ts";

// Nest's own build is this compiler.
if (needsFrameworks() === false) {
  before(() => {
    const args = ["node_modules/typescript/bin/tsc", "-p", "examples/frameworks/nest"];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.equal(status, 0, `${stdout}${stderr}`);
  });
}

frameworkSuite({
  name: "nest",
  program: "dist/main.js",
  page: /a page of Nest/,
  otherUpgrade: { path: () => "/other", says: /^from ws$/ },
  lacks: {},
});
