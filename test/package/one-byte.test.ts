// The form in which code is published: ASCII alone and tabs, with the same meaning.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAst } from "rollup/parseAst";
import { script } from "./script.ts";

const { toOneByte } = await script<{ toOneByte(code: string, parse: (code: string) => unknown): string }>(
  "lib/one-byte.js",
);
const published = (code: string): string => toOneByte(code, parseAst);

describe("published code", () => {
  it("has a tab in place of four spaces at the beginning of a line", () => {
    const code = ["{", "    // one", "        /**", "         * two", "         */", "  f(  g    );", "}"].join("\n");
    const expected = ["{", "\t// one", "\t\t/**", "\t\t * two", "\t\t */", "  f(  g    );", "}"].join("\n");
    assert.equal(published(code), expected);
  });

  it("has words for the signs of its comments", () => {
    assert.equal(
      published("// RFC 6455 §5.7: 3 µs … → 4\n/** 1–2 */"),
      "// RFC 6455 section 5.7: 3 us ... -> 4\n/** 1-2 */",
    );
  });

  it("is refused for a sign of a comment that has no word", () => {
    assert.throws(() => published("// 漢"), /no word for 漢/);
  });

  for (const literal of [
    '"§ … 漢 😀"',
    "'µ'",
    "`a – $" + "{" + '"→"' + "} ü`",
    "`\n    four\n        eight $" + "{[1,\n        2]}\n    end`",
    "/^[µ–→]+$/.test('–µ')",
    "/[\\u{1f600}😀]/u.test('😀')",
    '({ "ключ": 1 })["ключ"]',
  ]) {
    it(`means the same: ${JSON.stringify(literal)}`, () => {
      const code = `(\n    ${literal}\n)`;
      const changed = published(code);
      assert.match(changed, /^[\0-\x7f]*$/);
      assert.notEqual(changed, code);
      // biome-ignore lint/security/noGlobalEval: the meaning of the code is what is compared
      const evaluate = globalThis.eval;
      assert.deepEqual(evaluate(changed), evaluate(code));
    });
  }
});
