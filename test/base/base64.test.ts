import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { fromBase64, toBase64 } from "../../src/base/base64.ts";

describe("base64: RFC 4648", () => {
  const vectors = [
    ["", ""],
    ["f", "Zg=="],
    ["fo", "Zm8="],
    ["foo", "Zm9v"],
    ["foob", "Zm9vYg=="],
    ["fooba", "Zm9vYmE="],
    ["foobar", "Zm9vYmFy"],
  ] as const;
  for (const [plain, coded] of vectors) {
    it(`has ${JSON.stringify(plain)} as ${JSON.stringify(coded)} (§10)`, () => {
      assert.equal(toBase64(Buffer.from(plain)), coded);
      assert.deepEqual(fromBase64(coded), Uint8Array.from(Buffer.from(plain)));
    });
  }

  for (const text of [
    "Zg",
    "Zg=",
    "Zg===",
    "=",
    "====",
    "A===",
    "Zh==",
    "Zm9=",
    "Zm9v\n",
    "Zm9 ",
    "Z=9v",
    "-_-_",
    "Zm9é",
  ]) {
    it(`refuses ${JSON.stringify(text)} (§3.1 to §3.5)`, () => assert.equal(fromBase64(text), undefined));
  }

  it("writes what Buffer writes, and reads it back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"));
        assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
      }),
    );
  });
});
