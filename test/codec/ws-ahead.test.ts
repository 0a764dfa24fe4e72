// A close frame is found in bytes that nobody has decoded.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { holdsCloseFrame } from "../../src/codec/ws-ahead.ts";
import { OPCODE } from "../../src/codec/ws-frame.ts";
import { closeFrame, frame } from "../support/ws-client.ts";

describe("holdsCloseFrame", () => {
  for (const length of [0, 125, 126, 65_535, 65_536]) {
    it(`finds a close frame behind a message of ${length} bytes, however the bytes are cut`, () => {
      const message = frame(OPCODE.BINARY, new Uint8Array(length).fill(0x88));
      const bytes = Buffer.concat([message, closeFrame(1000, "bye")]);
      assert.equal(holdsCloseFrame([bytes], 0), true);
      assert.equal(holdsCloseFrame([message], 0), false);
      for (const at of [1, 2, 5, message.length - 1, message.length, message.length + 1, message.length + 7]) {
        assert.equal(holdsCloseFrame([bytes.subarray(0, at), bytes.subarray(at)], 0), true, `cut at ${at}`);
      }
      assert.equal(holdsCloseFrame([bytes.subarray(0, -1)], 0), false);
    });
  }

  it("skips the rest of a frame that began before", () => {
    const bytes = Buffer.concat([frame(OPCODE.TEXT, "hello"), closeFrame()]);
    assert.equal(holdsCloseFrame([bytes.subarray(8)], 3), true);
    assert.equal(holdsCloseFrame([bytes.subarray(8, 10)], 3), false);
  });

  it("finds none in no bytes", () => {
    assert.equal(holdsCloseFrame([], 0), false);
    assert.equal(holdsCloseFrame([], 5), false);
  });
});
