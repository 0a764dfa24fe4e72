// The examples are JavaScript that a reader copies into either language: their types are checked with those of the frameworks.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { needsFrameworks } from "./app.ts";

describe("the JavaScript of the framework examples", { skip: needsFrameworks(), timeout: 120_000 }, () => {
  it("has no type errors under strict, with the types of the real packages", () => {
    const args = ["node_modules/typescript/bin/tsc", "-p", "examples/frameworks", "--listFiles"];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.equal(status, 0, `${stdout.replace(/^\/.*$\n/gm, "")}${stderr}`);
    for (const framework of ["express", "fastify", "hono", "koa", "next", "vite"])
      assert.ok(stdout.includes(`examples/frameworks/${framework}/server.js\n`), `${framework} is checked`);
  });
});
