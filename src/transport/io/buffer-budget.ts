// What all connections of one server hold together: unsent (`maxTotalBufferedBytes`), or received and not taken
// (`maxTotalReceivedBytes`). Kept up by those that hold something, so the others pay nothing for it.

/** So much beyond the limit is far beyond it. */
const FAR_BYTES = 16_777_216;

export class BufferBudget {
  readonly maxBytes: number;
  /** Called whenever a holder grows while the budget is exceeded. Must not throw. */
  onExceeded: (() => void) | undefined;
  /** Bytes that clients have not taken, and how many clients those are. */
  #bytes = 0;
  #holders = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** One holder has `after` unsent instead of `before`. */
  change(before: number, after: number): void {
    this.#bytes += after - before;
    if (before === 0 && after > 0) this.#holders += 1;
    else if (before > 0 && after === 0) this.#holders -= 1;
    if (after > before && this.isExceeded) this.onExceeded?.();
  }

  get isExceeded(): boolean {
    return this.#bytes > this.maxBytes;
  }

  /** Even those that are only made to wait, and could go on later, have to make room. */
  get isFarExceeded(): boolean {
    return this.#bytes > this.maxBytes + FAR_BYTES;
  }

  /**
   * Whether one that holds so much has to make room while the budget is exceeded. Those do that hold their equal part of
   * it or more: there is always one, it is never a client that keeps up, and nobody has to look for the fullest.
   */
  isShareSpent(bytes: number): boolean {
    return bytes > 0 && bytes * this.#holders >= this.maxBytes;
  }
}
