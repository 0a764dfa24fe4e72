// Bytes that arrive while earlier ones are still unread. Joining both anew for each read would copy all that waits each
// time: 64 KiB that come byte by byte behind a running request took 0.7 s of CPU time. Here memory doubles instead, so each
// byte is copied a few times at most (test/growth.test.ts).

import { allocate } from "../base/bytes.ts";

const NOTHING = new Uint8Array(0);
const FIRST_BYTES = 256;

export class Joiner {
  #memory: Uint8Array = NOTHING;
  /** Bytes of the memory that are in use, from its start on. */
  #end = 0;

  /**
   * `unread` followed by `bytes`, in one piece. What `append` returned last, or the end of it, is continued where it stands;
   * anything else is copied. Without anything unread the answer is `bytes` itself.
   */
  append(unread: Uint8Array, bytes: Uint8Array): Uint8Array {
    if (unread.length === 0) {
      this.#memory = NOTHING;
      return bytes;
    }
    let start = this.#startOf(unread);
    if (start === -1 || this.#end + bytes.length > this.#memory.length) {
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

  /** Where `unread` begins in the memory; -1 if it is not the end of what is in use there. */
  #startOf(unread: Uint8Array): number {
    const memory = this.#memory;
    if (this.#end === 0 || unread.buffer !== memory.buffer) return -1;
    const start = unread.byteOffset - memory.byteOffset;
    return start >= 0 && start + unread.length === this.#end ? start : -1;
  }
}
