// The promises of `drained()` of one channel.

/** The channel that waits. */
export interface Draining {
  readonly bufferedAmount: number;
  /** Writes the output that waits for the end of the turn. */
  flush(): void;
  /** The buffer is empty: resolves the promises, and runs the drain handler. */
  bufferEmptied(): void;
}

export class DrainWaiters {
  /** True while the output of the channel is written for a promise: an empty buffer is told later. */
  isWriting = false;
  #waiters: (() => void)[] = [];

  /**
   * Writes at once: an application that waits adds nothing in this turn, at whose end a token would be 2 ms late (500 readers, bench row
   * app-tokens). The promise resolves at the end of the turn all the same. Promises alone never let the event loop run: while a client
   * takes all, a loop of sends would answer nobody else, and would not see that its own client has left.
   */
  wait(channel: Draining): Promise<void> {
    const drained = new Promise<void>((resolve) => this.#waiters.push(resolve));
    this.isWriting = true;
    try {
      channel.flush();
    } finally {
      this.isWriting = false;
    }
    if (channel.bufferedAmount === 0) setImmediate(() => this.#tell(channel));
    return drained;
  }

  resolve(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  #tell(channel: Draining): void {
    if (this.#waiters.length > 0) channel.bufferEmptied();
  }
}
