// The output of a protocol: order, sizes, and pieces that many outputs share.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Output, plainPiece, SharedText, sharedPiece } from "../../src/base/output.ts";
import { text } from "../support/pieces.ts";
import { seeded } from "../support/random.ts";

describe("Output", () => {
  it("keeps the order of strings, bytes and shared pieces, and knows their size", () => {
    const output = new Output();
    const large = new Uint8Array(2000).fill(0x2a);
    output.text("a");
    output.shared(new SharedText("b"));
    output.bytes(Uint8Array.of(0xff));
    output.bytes(large);
    output.shared(new SharedText("c"));
    output.shared(large);
    output.text("d");
    const stars = "*".repeat(2000);
    assert.equal(output.size, 4005);
    assert.equal(text(output.take()), `ab\xff${stars}c${stars}d`);
    assert.equal(output.size, 0);
    assert.equal(output.take(), undefined);
  });

  it("keeps a long text apart, as the very same string", () => {
    const output = new Output();
    const long = "long".repeat(5000);
    output.text("a");
    output.longText(long);
    output.text("b");
    output.text("c");
    assert.equal(output.size, 20_003);
    assert.deepEqual(output.take(), ["a", long, "bc"]);
    output.shared(new SharedText("next"));
    assert.equal(text(output.take()), "next");
  });

  it("returns the same bytes for all outputs that hold the same shared pieces", () => {
    const outputs = [new Output(), new Output(), new Output()];
    for (const piece of ["one ", "two \xe9 ", "three"].map((one) => new SharedText(one)))
      for (const output of outputs) output.shared(piece);
    const taken = outputs.map((output) => output.take());
    assert.equal(text(taken[0]), "one two \xe9 three");
    assert.ok(taken[0] instanceof Uint8Array);
    assert.ok(taken[1] === taken[0] && taken[2] === taken[0]);
  });

  it("is not changed by other pieces that one of those outputs holds", () => {
    const outputs = [new Output(), new Output(), new Output()] as const;
    const [one, two, three] = ["one ", "two ", "three"].map((piece) => new SharedText(piece)) as [
      SharedText,
      SharedText,
      SharedText,
    ];
    outputs[1].text("own ");
    for (const output of outputs) output.shared(one);
    outputs[2].text("own ");
    for (const output of outputs) output.shared(two);
    outputs[0].bytes(Uint8Array.of(0x21));
    assert.deepEqual(
      outputs.map((output) => text(output.take())),
      ["one two !", "own one two ", "one own two "],
    );
    // And nothing of it is left over.
    for (const output of outputs) output.shared(three);
    assert.deepEqual(
      outputs.map((output) => text(output.take())),
      ["three", "three", "three"],
    );
  });
});

describe("outputs that share pieces, and have pieces of their own", () => {
  for (let seed = 1; seed <= 20; seed++) {
    it(`hold what was appended to each, in its order (seed ${seed})`, () => {
      const { randomInt } = seeded(seed);
      const outputs = Array.from({ length: 5 }, () => ({ output: new Output(), expected: "" }));
      const large = new Uint8Array(1500).fill(0x2a);
      for (let step = 0; step < 400; step++) {
        const one = outputs[randomInt(outputs.length)]!;
        const own = String.fromCharCode(0x61 + randomInt(26)).repeat(randomInt(3));
        const verb = randomInt(8);
        if (verb <= 3) {
          const piece = sharedPiece(`<${step}`, verb === 0 ? large : "é", ">");
          const latin1 = text(plainPiece(piece));
          for (const each of outputs) {
            if (randomInt(6) === 0) continue;
            each.output.shared(piece);
            each.expected += latin1;
          }
        } else if (verb === 4) {
          one.output.text(own);
          one.expected += own;
        } else if (verb === 5) {
          one.output.bytes(Uint8Array.of(0xff, 0xfe));
          one.expected += "\xff\xfe";
        } else if (verb === 6) {
          one.output.longText(`long ${own}`);
          one.expected += `long ${own}`;
        } else {
          assert.equal(one.output.size, one.expected.length);
          const taken = one.output.take();
          assert.equal(taken === undefined ? "" : text(taken), one.expected);
          one.expected = "";
        }
      }
    });
  }
});

describe("sharedPiece", () => {
  const cases: readonly [why: string, body: string | Uint8Array, bytes: string][] = [
    ["ASCII", "abc", "abc"],
    ["text of other characters", "é€", "\xc3\xa9\xe2\x82\xac"],
    ["bytes", Uint8Array.of(0, 0xff), "\0\xff"],
    ["long text", "é".repeat(10_000), "\xc3\xa9".repeat(10_000)],
    ["long bytes", new Uint8Array(20_000).fill(0x61), "a".repeat(20_000)],
  ];
  for (const [why, body, bytes] of cases) {
    it(`is ${why} in UTF-8 between head and tail`, () => {
      const piece = plainPiece(sharedPiece("\x81\xff", body, "\r\n"));
      assert.equal(text(piece), `\x81\xff${bytes}\r\n`);
      assert.equal(typeof piece === "string", bytes.length < 16_000, "long ones are not copied again");
    });
  }
});
