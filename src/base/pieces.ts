// Collects bytes until all have arrived. Small pieces are copied together: a body that arrives in single bytes would otherwise
// hold an object of some hundred bytes for each of them.

import { allocate, concat, NO_BYTES } from "./bytes.ts";

/** A shorter piece is copied. */
const SMALL_BYTES = 4096;

/** Memory for copied pieces doubles up to this size. */
const MAX_TAIL_BYTES = 65_536;
const FIRST_TAIL_BYTES = 256;

export class Pieces {
  /** Memory held, in bytes: a little more than was added. */
  memory = 0;
  #whole: Uint8Array[] = [];
  /** Copied pieces behind the whole ones: `#tail` up to `#tailLength`. */
  #tail: Uint8Array = NO_BYTES;
  #tailLength = 0;

  add(bytes: Uint8Array): void {
    if (bytes.length >= SMALL_BYTES) {
      this.#seal();
      this.#whole.push(bytes);
      this.memory += bytes.length;
      return;
    }
    if (this.#tailLength + bytes.length > MAX_TAIL_BYTES) this.#seal();
    const length = this.#tailLength + bytes.length;
    if (length > this.#tail.length) this.#grow(length);
    this.#tail.set(bytes, this.#tailLength);
    this.#tailLength = length;
  }

  /** Returns everything that was added, in one piece. */
  join(): Uint8Array {
    this.#seal();
    return this.#whole.length === 0 ? NO_BYTES : concat(this.#whole);
  }

  #grow(length: number): void {
    const larger = allocate(Math.max(FIRST_TAIL_BYTES, 2 * this.#tail.length, length));
    larger.set(this.#tail.subarray(0, this.#tailLength));
    this.memory += larger.length - this.#tail.length;
    this.#tail = larger;
  }

  #seal(): void {
    if (this.#tailLength > 0) this.#whole.push(this.#tail.subarray(0, this.#tailLength));
    this.#tail = NO_BYTES;
    this.#tailLength = 0;
  }
}
