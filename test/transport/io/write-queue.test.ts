// The queue of output that waits for a socket: what it does with strings. Its slices are tested with the sockets that they go to.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAX_WAITING_STRING, MIN_SLICE_BYTES, WriteQueue } from "../../../src/transport/io/write-queue.ts";
import { text } from "../../support/pieces.ts";

describe("WriteQueue", () => {
  it("joins short strings, and encodes a long one, which may be a part of a far longer text", () => {
    const queue = new WriteQueue(() => {});
    const long = `\xe9${"x".repeat(MAX_WAITING_STRING)}`;
    queue.add(["a", "b"]);
    queue.add(["c", long, "d"]);
    assert.equal(queue.bytes, long.length + 4);
    const taken = queue.take() as readonly (string | Uint8Array)[];
    assert.deepEqual(
      taken.map((piece) => typeof piece),
      ["string", "object", "string"],
    );
    assert.equal(text(taken), `abc${long}d`);
    assert.equal(queue.bytes, 0);
  });

  it("gives a long text slice by slice, in order", () => {
    const queue = new WriteQueue(() => {});
    const long = Array.from({ length: 4 * MIN_SLICE_BYTES - 4 }, (_, i) => String.fromCharCode(i % 251)).join("");
    queue.add(["head", long]);
    const slices: string[] = [];
    while (queue.bytes > 0) slices.push(text(queue.take()));
    assert.equal(slices.length, 3);
    assert.equal(slices.join(""), `head${long}`);
  });
});
