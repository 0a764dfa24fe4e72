// A buffer for a line that has not arrived whole. Bytes are copied into it, so that the chunk they came in can be freed. Its
// memory doubles, so that a line that arrives byte by byte costs no more than its length.

import { allocate, NO_BYTES } from "../base/bytes.ts";

const FIRST_BYTES = 128;

export class LineBuffer {
  /** The first `length` bytes are the line so far. */
  bytes: Uint8Array = NO_BYTES;
  length = 0;

  append(from: Uint8Array, start: number, end: number): void {
    const length = this.length + end - start;
    if (length > this.bytes.length) {
      const grown = allocate(Math.max(FIRST_BYTES, this.bytes.length * 2, length));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(from.subarray(start, end), this.length);
    this.length = length;
  }

  clear(): void {
    this.bytes = NO_BYTES;
    this.length = 0;
  }
}
