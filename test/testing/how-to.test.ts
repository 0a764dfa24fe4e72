// The guide's example runs as it is printed.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";

const FOLDER = "dist/test/testing/programs";

describe("the example of docs/how-to/testing.md", () => {
  it("passes", () => {
    const [, example] = /```js\n([\s\S]*?)```/.exec(readFileSync("docs/how-to/testing.md", "utf8"))!;
    mkdirSync(FOLDER, { recursive: true });
    try {
      writeFileSync(`${FOLDER}/chat.test.mjs`, example!);
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const { stdout, stderr, status } = spawnSync(process.execPath, [`${FOLDER}/chat.test.mjs`], {
        encoding: "utf8",
        env,
      });
      assert.equal(status, 0, stdout + stderr);
      assert.match(stdout, /pass 3\b/);
      assert.equal(stderr, "");
    } finally {
      rmSync(FOLDER, { recursive: true });
    }
  });
});
