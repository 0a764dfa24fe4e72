// Joins bytes that arrive with earlier bytes that are still unread. A new copy of both for each read would be quadratic: 64 KiB
// that arrive byte by byte behind a running request took 0.7 s of CPU time. Here memory doubles instead, so each byte is
// copied a few times at most (test/growth.test.ts).

import { allocate, NO_BYTES } from "../base/bytes.ts";

const FIRST_BYTES = 256;

export class Joiner {
  #memory: Uint8Array = NO_BYTES;
  /** The memory is in use up to here. */
  #end = 0;

  /**
   * Returns `unread` followed by `bytes` in one piece, or `bytes` itself if nothing is unread. `unread` is copied unless it is
   * the end of the piece that was returned last.
   */
  append(unread: Uint8Array, bytes: Uint8Array): Uint8Array {
    if (unread.length === 0) {
      this.#memory = NO_BYTES;
      return bytes;
    }
    let start = this.#startOf(unread);
    if (start === undefined || this.#end + bytes.length > this.#memory.length) {
      const length = unread.length + bytes.length;
      const memory = allocate(Math.max(FIRST_BYTES, 2 * length));
      memory.set(unread);
      this.#memory = memory;
      this.#end = unread.length;
      start = 0;
    }
    this.#memory.set(bytes, this.#end);
    this.#end += bytes.length;
    return this.#memory.subarray(start, this.#end);
  }

  /** The index of `unread` in the memory; undefined unless it is the end of the used part. */
  #startOf(unread: Uint8Array): number | undefined {
    const memory = this.#memory;
    if (this.#end === 0 || unread.buffer !== memory.buffer) return undefined;
    const start = unread.byteOffset - memory.byteOffset;
    return start >= 0 && start + unread.length === this.#end ? start : undefined;
  }
}
