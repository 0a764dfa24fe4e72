// The frames between a process and the hub: literal bytes, every cut, and the limits.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Frame, FrameDecoder, FrameWriter } from "../../../src/backplane/processes/frame.ts";

const UNAVAILABLE = { code: "BACKPLANE_UNAVAILABLE" };

function bytes(hex: string): Uint8Array {
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
}

function decodeAll(decoder: FrameDecoder, ...pieces: readonly Uint8Array[]): Frame[] {
  const frames: Frame[] = [];
  for (const piece of pieces) {
    decoder.push(piece);
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) frames.push(frame);
  }
  return frames;
}

/** One frame with a field of each kind. */
function writeOne(writer: FrameWriter): void {
  writer
    .begin(10, 0x01020304)
    .text("ab")
    .text("ä")
    .bytes(Buffer.from([255]))
    .optional(undefined)
    .number(1.5)
    .flag(true)
    .end();
}

const ONE = bytes("00000023 0a 01020304 00000002 6162 80000002 e400 00000001 ff ffffffff 3ff8000000000000 01");

function readOne({ kind, number, fields }: Frame): unknown[] {
  return [
    ...[kind, number, fields.text(), fields.text(), [...fields.bytes()], fields.optional(), fields.number()],
    ...[fields.flag(), fields.hasMore],
  ];
}

const READ = [10, 0x01020304, "ab", "ä", [255], undefined, 1.5, true, false];

describe("a frame between a process and the hub", () => {
  it("has these bytes", () => {
    const writer = new FrameWriter();
    writeOne(writer);
    assert.equal(writer.length, ONE.length);
    assert.equal(Buffer.from(writer.take()).toString("hex"), Buffer.from(ONE).toString("hex"));
    assert.equal(writer.length, 0);
  });

  it("is read wherever it is cut", () => {
    const three = Buffer.concat([ONE, ONE, ONE]);
    for (let first = 0; first <= three.length; first++) {
      for (let second = first; second <= three.length; second++) {
        const cut = [three.subarray(0, first), three.subarray(first, second), three.subarray(second)];
        assert.deepEqual(decodeAll(new FrameDecoder(), ...cut).map(readOne), [READ, READ, READ], `${first} ${second}`);
      }
    }
    const alone = Array.from(three, (byte) => Uint8Array.of(byte));
    assert.deepEqual(decodeAll(new FrameDecoder(), ...alone).map(readOne), [READ, READ, READ]);
  });

  it("carries any text, number and bytes, also when many frames are written before they are taken", () => {
    const values = fc.array(
      fc.record({
        text: fc.string({ unit: "binary" }),
        number: fc.double(),
        bytes: fc.uint8Array({ maxLength: 300 }),
        optional: fc.option(fc.uint8Array(), { nil: undefined }),
        isTaken: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(values, (all) => {
        const writer = new FrameWriter();
        const pieces: Uint8Array[] = [];
        for (const [n, { text, number, bytes: some, optional, isTaken }] of all.entries()) {
          writer
            .begin(n % 256, n)
            .text(text)
            .number(number)
            .bytes(some)
            .optional(optional)
            .end();
          if (isTaken) pieces.push(writer.take());
        }
        const frames = decodeAll(new FrameDecoder(), ...pieces, writer.take());
        assert.equal(frames.length, all.length);
        for (const [n, { text, number, bytes: some, optional }] of all.entries()) {
          const { fields, ...head } = frames[n]!;
          assert.deepEqual(head, { kind: n % 256, number: n });
          assert.equal(fields.text(), text);
          assert.ok(Object.is(fields.number(), number));
          assert.deepEqual(new Uint8Array(fields.bytes()), some);
          const found = fields.optional();
          assert.deepEqual(found && new Uint8Array(found), optional);
          assert.equal(fields.hasMore, false);
        }
      }),
    );
  });

  it("carries bytes that are longer than the memory of a turn", () => {
    const writer = new FrameWriter();
    const lengths = [1, 100_000, 3, 65_536, 1_000_000];
    for (const [n, length] of lengths.entries()) writer.begin(1, n).bytes(Buffer.alloc(length, n)).end();
    const frames = decodeAll(new FrameDecoder(), writer.take());
    assert.deepEqual(
      frames.map(({ fields }) => Buffer.from(fields.bytes())).map((found) => [found.length, found.at(-1)]),
      lengths.map((length, n) => [length, n]),
    );
  });

  for (const text of ["", "a\ud800", "\udfff", "群", "🙂", "\0", "x".repeat(70_000), "群".repeat(70_000)]) {
    it(`carries the text ${JSON.stringify(text.slice(0, 5))} of ${text.length} characters`, () => {
      const writer = new FrameWriter();
      writer.begin(1, 1).text(text).end();
      assert.equal(decodeAll(new FrameDecoder(), writer.take())[0]!.fields.text(), text);
    });
  }

  it("may be as long as the limit, and is refused by its head alone when it is longer", () => {
    const decoder = new FrameDecoder(1000);
    assert.equal(decodeAll(decoder, bytes("000003e8 01 00000000"), new Uint8Array(995)).length, 1);
    decoder.push(bytes("000003e9 01 00000000"));
    assert.throws(() => decoder.next(), UNAVAILABLE);
  });

  it("is refused when it is shorter than its head", () => {
    const decoder = new FrameDecoder();
    decoder.push(bytes("00000004 01 00000000"));
    assert.throws(() => decoder.next(), UNAVAILABLE);
  });

  const short: readonly [field: string, hex: string, read: (frame: Frame) => unknown][] = [
    ["text", "00000003 6162", ({ fields }) => fields.text()],
    ["wide text", "80000003 6162", ({ fields }) => fields.text()],
    ["length of a text", "0000", ({ fields }) => fields.text()],
    ["bytes", "fffffffe 00", ({ fields }) => fields.bytes()],
    ["optional bytes", "00000002 00", ({ fields }) => fields.optional()],
    ["number", "3ff80000000000", ({ fields }) => fields.number()],
    ["flag", "", ({ fields }) => fields.flag()],
  ];
  for (const [field, hex, read] of short) {
    it(`is refused when it ends within a ${field}`, () => {
      const body = bytes(hex);
      const head = Buffer.from([0, 0, 0, 5 + body.length, 1, 0, 0, 0, 0]);
      const [frame] = decodeAll(new FrameDecoder(), head, body);
      assert.throws(() => read(frame!), UNAVAILABLE);
    });
  }
});
