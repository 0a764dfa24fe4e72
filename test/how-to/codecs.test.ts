// The codec of docs/how-to/codecs.md passes its suite as it is printed, and one with a mistake does not.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { block } from "./programs.ts";

const CODEC = block("codecs", "// messages.js");
const SUITE = block("codecs", "// messages.test.js");

/** Runs the page's test of this codec, as its reader does. Returns the names of the tests that failed, and how many passed. */
function test(t: TestContext, codec: string): { readonly failed: readonly string[]; readonly passed: number } {
  // In this package, whose entries the two files import by name.
  const folder = mkdtempSync("dist/codec-");
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "messages.mjs"), codec);
  writeFileSync(join(folder, "messages.test.mjs"), SUITE.replace("./messages.js", "./messages.mjs"));
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = ["--test-reporter=tap", join(folder, "messages.test.mjs")];
  const { stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
  // The lines of single tests, without those of the suites and of the file around them.
  const lines = [...stdout.matchAll(/^ +(not )?ok \d+ - ([^\n]*)\n +---\n(?: +[^\n]*\n)*? +\.\.\./gm)];
  const rows = lines.filter(([text]) => !text.includes("type: 'suite'"));
  assert.ok(rows.length > 20, stderr);
  return {
    failed: rows.filter(([, not]) => not !== undefined).map(([, , name]) => name!),
    passed: rows.filter(([, not]) => not === undefined).length,
  };
}

/** The page's codec with a part of it replaced. */
function broken(part: string, by: string): string {
  assert.ok(CODEC.includes(part), part);
  return CODEC.replace(part, by);
}

const MISTAKES: readonly [mistake: string, codec: string, noticed: RegExp][] = [
  [
    "writes all messages to one buffer",
    broken("return encode(value)", "return encoder.encodeSharedRef(value)").replace(
      "import { decode, encode }",
      'import { Encoder } from "@msgpack/msgpack";\nconst encoder = new Encoder();\nimport { decode }',
    ),
    /^leaves its messages alone/,
  ],
  [
    "numbers its messages, and expects the next one",
    broken("return encode(value)", "return encode([++sent, value])").replace(
      "check(incoming, unpack(message))",
      "check(incoming, next(unpack(message)))",
    ) +
      "let sent = 0;\nlet got = 0;\nfunction next([n, value]) { if (n !== ++got) throw new Error('missed one'); return value; }\n",
    /^keeps no state/,
  ],
  [
    "throws errors of its own",
    broken('throw new ChannelError("BAD_MESSAGE", "not MessagePack", { cause })', "throw cause"),
    /^refuses messages with BAD_MESSAGE/,
  ],
  ["checks nothing that arrives", broken("return check(incoming, ", "return ("), /^refuses messages/],
  ["checks nothing that it sends", broken("check(outgoing, value);", ""), /^refuses values/],
];

describe("docs/how-to/codecs.md", () => {
  it("has a codec that passes the suite", (t) => {
    const { failed, passed } = test(t, CODEC);
    assert.deepEqual(failed, []);
    assert.ok(passed > 20, `${passed} passed`);
  });

  for (const [mistake, codec, noticed] of MISTAKES) {
    it(`has a suite that notices a codec which ${mistake}`, (t) => {
      const { failed } = test(t, codec);
      assert.ok(
        failed.some((name) => noticed.test(name)),
        failed.join("\n"),
      );
    });
  }
});
