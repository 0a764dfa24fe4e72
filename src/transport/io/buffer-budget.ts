// The sum of the bytes that all connections of a server hold: unsent (`maxTotalBufferedBytes`), or received and not delivered
// (`maxTotalReceivedBytes`). Only connections that hold bytes update it.

/** The excess from which `isFarExceeded` is true. */
const FAR_BYTES = 16_777_216;

export class BufferBudget {
  readonly maxBytes: number;
  /** Called whenever a holder grows while the budget is exceeded. Must not throw. */
  onExceeded: (() => void) | undefined;
  /** Bytes that clients have not taken, and how many clients those are. */
  bytes = 0;
  #holders = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Replaces the `before` bytes of a holder by `after`. */
  change(before: number, after: number): void {
    this.bytes += after - before;
    if (before === 0 && after > 0) this.#holders += 1;
    else if (before > 0 && after === 0) this.#holders -= 1;
    if (after > before && this.isExceeded) this.onExceeded?.();
  }

  get isExceeded(): boolean {
    return this.bytes > this.maxBytes;
  }

  /** True if even holders that are only made to wait, and could go on later, have to make room. */
  get isFarExceeded(): boolean {
    return this.bytes > this.maxBytes + FAR_BYTES;
  }

  /**
   * True if a holder of this many bytes has to make room while the budget is exceeded: if it holds its equal share of the budget
   * or more. There is always such a holder, it is never a client that keeps up, and the largest need not be searched for.
   */
  isShareSpent(bytes: number): boolean {
    return bytes > 0 && bytes * this.#holders >= this.maxBytes;
  }
}
