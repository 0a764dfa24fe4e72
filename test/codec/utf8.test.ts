import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Utf8Validator, utf8OrLatin1 } from "../../src/codec/utf8.ts";
import { cut, hex } from "../support/hex.ts";

function isValid(...parts: Uint8Array[]): boolean {
  const validator = new Utf8Validator();
  return parts.every((part) => validator.push(part, 0, part.length)) && validator.isComplete;
}

/** The index of the byte at which `push` says no, when bytes come one by one; -1 when it never does. */
function refusedAt(bytes: Uint8Array): number {
  const validator = new Utf8Validator();
  return bytes.findIndex((_, i) => !validator.push(bytes, i, i + 1));
}

function platformSays(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Bytes that are often nearly UTF-8. */
const nearlyText = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.string({ unit: "binary" }).map((text) => Buffer.from(text)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 3 }) },
      {
        weight: 2,
        arbitrary: fc
          .constantFrom("c0", "e0a0", "e09f", "ed9f", "eda0", "f090", "f08f", "f48f", "f490", "f5", "80", "bf", "61")
          .map(hex),
      },
    ),
    { maxLength: 12 },
  )
  .map((parts) => Uint8Array.from(Buffer.concat(parts)));

describe("Utf8Validator: RFC 3629", () => {
  const valid: [string, string][] = [
    ["nothing", ""],
    ["U+0000 and U+007F", "00 7f"],
    ["U+0080 and U+07FF", "c280 dfbf"],
    ["U+0800 and U+FFFF", "e0a080 efbfbf"],
    ["U+D7FF and U+E000, around the surrogates", "ed9fbf ee8080"],
    ["U+10000 and U+10FFFF", "f0908080 f48fbfbf"],
    ["§7: A, not identical to, alpha, full stop", "41e289a2ce912e"],
    ["§7: hangugeo", "ed959ceab5adec96b4"],
    ["§7: nihongo", "e697a5e69cace8aa9e"],
    ["§7: a byte order mark and a letter outside the BMP", "efbbbff0a38eb4"],
  ];
  for (const [name, bytes] of valid) {
    it(`accepts ${name}`, () => {
      assert.equal(isValid(hex(bytes)), true);
      assert.equal(refusedAt(hex(bytes)), -1);
    });
  }

  // The last column: which byte is the first that cannot continue.
  const invalid: [string, string, number][] = [
    ["a continuation byte alone", "80", 0],
    ["a continuation byte too many", "c280bf", 2],
    ["C0 and C1, only good for overlong forms", "c080", 0],
    ["§10: the overlong solidus", "c0af", 0],
    ["an overlong form of three bytes", "e09fbf", 1],
    ["an overlong form of four bytes", "f08fbfbf", 1],
    ["U+D800", "eda080", 1],
    ["U+DFFF", "edbfbf", 1],
    ["U+110000", "f4908080", 1],
    ["F5", "f5808080", 0],
    ["FE and FF", "fe", 0],
    ["a character that ASCII cuts", "e28261", 2],
    ["a character that another one cuts", "e282c2a2", 2],
    ["the third byte of four", "f09f00", 2],
    ["the fourth byte of four", "f09f9841", 3],
  ];
  for (const [name, bytes, at] of invalid) {
    it(`refuses ${name} at the first byte that cannot continue`, () => {
      assert.equal(isValid(hex(bytes)), false);
      assert.equal(refusedAt(hex(bytes)), at);
      assert.equal(isValid(hex(`${"61".repeat(40)}${bytes}${"61".repeat(40)}`)), false);
    });
  }

  it("knows when it stands in the middle of a character", () => {
    const euro = hex("e282ac");
    const validator = new Utf8Validator();
    assert.equal(validator.isComplete, true);
    for (const [i, complete] of [false, false, true].entries()) {
      assert.equal(validator.push(euro, i, i + 1), true);
      assert.equal(validator.isComplete, complete);
    }
  });

  it("starts anew after reset", () => {
    const validator = new Utf8Validator();
    validator.push(hex("f48f"), 0, 2);
    validator.reset();
    assert.equal(validator.isComplete, true);
    assert.equal(validator.push(hex("f0bfbfbf"), 0, 4), true);
    assert.equal(validator.isComplete, true);
  });

  it("checks only the bytes between start and end", () => {
    assert.equal(new Utf8Validator().push(hex("ff c3a9 ff"), 1, 3), true);
  });

  it("agrees with the platform on every pair, and on every triple and quadruple of edge bytes", () => {
    const edges = [
      0, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
    ];
    edges.push(0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff);
    const check = (bytes: number[]): void => {
      const array = Uint8Array.from(bytes);
      assert.equal(isValid(array), platformSays(array), Buffer.from(array).toString("hex"));
    };
    for (let a = 0; a < 256; a++) for (let b = 0; b < 256; b++) check([a, b]);
    for (const a of edges) for (const b of edges) for (const c of edges) check([a, b, c]);
    for (const a of edges.slice(-9)) for (const b of edges.slice(2, 9)) for (const c of edges) check([a, b, c, 0x80]);
  });

  it("agrees with the platform wherever the bytes are cut", () => {
    fc.assert(
      fc.property(nearlyText, fc.array(fc.nat(60), { maxLength: 6 }), (bytes, places) => {
        assert.equal(isValid(...cut(bytes, places)), platformSays(bytes));
        assert.equal(isValid(bytes), platformSays(bytes));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("utf8OrLatin1", () => {
  const latin1 = (text: string): string => Buffer.from(text).toString("latin1");

  it("reads the bytes of a field value as UTF-8 where they are", () => {
    assert.equal(utf8OrLatin1(latin1("\u00e9-\u6f22-1")), "\u00e9-\u6f22-1");
    assert.equal(utf8OrLatin1(latin1("\u{1f600}")), "\u{1f600}");
    assert.equal(utf8OrLatin1("42"), "42");
    assert.equal(utf8OrLatin1(""), "");
  });

  it("leaves latin1 as it is", () => {
    for (const value of ["caf\u00e9", "\u00e9\u6f22".slice(0, 1), "\u00c3", "\u00ed\u00a0\u0080"]) {
      assert.equal(utf8OrLatin1(value), value);
    }
  });
});
