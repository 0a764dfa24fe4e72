// The guide's tests run as they are printed.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { blocks, write } from "../how-to/programs.ts";

describe("the tests of docs/how-to/testing.md", () => {
  for (const text of blocks("testing", "ts")) {
    it(`pass: ${/^\/\/ (\S+)/.exec(text)![1]}`, (t) => {
      const { NODE_TEST_CONTEXT: _, ...own } = process.env;
      // Node 20 warns of the mock timers of node:test.
      const env = { ...own, NODE_NO_WARNINGS: "1" };
      const { stdout, stderr, status } = spawnSync(process.execPath, [write(t, text)], { encoding: "utf8", env });
      assert.equal(status, 0, stdout + stderr);
      assert.match(stdout, new RegExp(`pass ${text.match(/^test\(/gm)!.length}\\b`));
      assert.equal(stderr, "");
    });
  }
});
