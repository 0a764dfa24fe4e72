import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkSocketPath } from "../../src/base/socket-path.ts";

describe("checkSocketPath", () => {
  it("takes paths of up to 103 bytes, as all systems do", () => {
    checkSocketPath(`/${"a".repeat(102)}`);
    checkSocketPath(`/${"é".repeat(51)}`);
  });

  it("refuses longer ones, and says what to do", () => {
    const bad = { code: "BAD_OPTION", message: /a path of 10[45] bytes; it may have at most 103: set .* TMPDIR / };
    assert.throws(() => checkSocketPath(`/${"a".repeat(103)}`), bad);
    assert.throws(() => checkSocketPath(`/${"é".repeat(52)}`), bad);
  });
});
