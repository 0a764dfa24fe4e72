// The table in conformance/README.md is read out of the tests.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";

const readme = (): string => readFileSync("conformance/README.md", "utf8");

describe("conformance/README.md", () => {
  it("has every clause that is tested, and no other", () => {
    const { status, stderr } = spawnSync(process.execPath, ["conformance/table.js", "--check"], { encoding: "utf8" });
    assert.equal(stderr, "");
    assert.equal(status, 0);
  });

  it("names a test for every group of Autobahn|Testsuite", () => {
    const groups = [...readme().matchAll(/^\| (\d+) [^|]+\| [^|]+\| `(\w+)`/gm)];
    assert.deepEqual(
      groups.map(([, group]) => Number(group)),
      [1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 13],
    );
    const files = readdirSync("test/conformance");
    for (const [, group, name] of groups) assert.ok(files.includes(`${name}.test.ts`), `${group}: ${name}`);
  });
});
