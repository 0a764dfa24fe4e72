import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { unmask } from "../../src/codec/ws-mask.ts";
import { hex, toHex } from "../support/hex.ts";

/** RFC 6455 §5.3 as it is written: octet i is XORed with octet i MOD 4 of the key. */
function plain(bytes: Uint8Array, key: number, phase: number): Uint8Array {
  const octets = [key >>> 24, (key >>> 16) & 0xff, (key >>> 8) & 0xff, key & 0xff];
  return bytes.map((byte, i) => byte ^ octets[(i + phase) & 3]!);
}

describe("unmask: RFC 6455 §5.3", () => {
  it("unmasks the text printed in §5.7", () => {
    const bytes = hex("7f9f4d5158");
    assert.equal(unmask(bytes, 0, 5, 0x37fa213d, 0), true);
    assert.equal(Buffer.from(bytes).toString(), "Hello");
  });

  it("touches nothing outside start and end", () => {
    const bytes = hex("00 00 00 00 00 00 00 00");
    unmask(bytes, 2, 7, 0x01020304, 0);
    assert.equal(toHex(bytes), "0000010203040100");
  });

  it("begins with the key's byte that the phase says", () => {
    for (const [phase, expected] of ["0a0b0c0d0a", "0b0c0d0a0b", "0c0d0a0b0c", "0d0a0b0c0d"].entries()) {
      const bytes = new Uint8Array(5);
      unmask(bytes, 0, 5, 0x0a0b0c0d, phase);
      assert.equal(toHex(bytes), expected);
    }
  });

  it("is the same at every length and every place in memory", () => {
    for (const key of [0x37fa213d, 0xf1e2d3c4]) {
      for (let length = 0; length <= 300; length++) {
        for (let offset = 0; offset < 4; offset++) {
          const phase = (length + offset) & 3;
          const memory = new Uint8Array(length + 8);
          const bytes = memory.subarray(offset & 1);
          for (let i = 0; i < length; i++) bytes[offset + i] = (i * 7 + length) & 0xff;
          const expected = plain(bytes.slice(offset, offset + length), key, phase);
          const ascii = unmask(bytes, offset, offset + length, key, phase);
          assert.equal(toHex(bytes.subarray(offset, offset + length)), toHex(expected), `${length} at ${offset}`);
          assert.equal(
            ascii,
            expected.every((byte) => byte < 0x80),
          );
        }
      }
    }
  });

  it("sees a single byte that is not ASCII wherever it stands", () => {
    for (const length of [1, 7, 127, 128, 129, 163, 200]) {
      for (let at = 0; at < length; at++) {
        const bytes = new Uint8Array(length + 3);
        bytes[3 + at] = 0x80;
        assert.equal(unmask(bytes, 3, length + 3, 0x7f017f01, 1), false, `${at} of ${length}`);
      }
      assert.equal(unmask(new Uint8Array(length), 0, length, 0x7f017f01, 1), true);
    }
  });

  it("undoes itself", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 600 }),
        fc.nat(0xffffffff),
        fc.nat(3),
        fc.nat(8),
        (payload, key, phase, at) => {
          const bytes = new Uint8Array(payload.length + at);
          bytes.set(payload, at);
          unmask(bytes, at, bytes.length, key, phase);
          assert.deepEqual(bytes.slice(at), plain(payload, key, phase));
          unmask(bytes, at, bytes.length, key | 0, phase);
          assert.deepEqual(bytes.slice(at), payload);
        },
      ),
    );
  });
});
