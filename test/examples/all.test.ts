import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";

/** An example that is longer does not show one thing. */
const MAX_LINES = 80;

describe("every example", () => {
  // Each example for a framework has its test in test/frameworks.
  for (const name of readdirSync("examples").filter((entry) => !["tsconfig.json", "frameworks"].includes(entry))) {
    const files = name.endsWith(".js") ? [name] : readdirSync(`examples/${name}`).map((file) => `${name}/${file}`);

    it(`${name} has a test of its name`, () => {
      assert.ok(existsSync(`test/examples/${name.replace(/\.js$/, "")}.test.ts`));
    });

    for (const file of files.filter((entry) => entry.endsWith(".js"))) {
      it(`${file} opens with // @ts-check, and has at most ${MAX_LINES} lines`, () => {
        const lines = readFileSync(`examples/${file}`, "utf8").trimEnd().split("\n");
        assert.equal(lines[0], "// @ts-check");
        assert.ok(lines.length <= MAX_LINES, `${lines.length} lines`);
      });
    }
  }
});
