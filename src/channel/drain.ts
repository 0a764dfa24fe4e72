// Tells a channel's application that its client has taken everything: the promises of `drained()`, and the drain handler.

/** The channel. */
export interface Draining {
  readonly bufferedAmount: number;
  /** Writes the output that waits for the end of the turn. */
  flush(): void;
  /** Runs the drain handler. */
  callDrain(): void;
}

export class Drain {
  #waiters: (() => void)[] = [];
  /** True while output is written for a promise, and while the application is told. */
  #isBusy = false;
  #isQueued = false;

  /**
   * Writes at once: an application that waits adds nothing in this turn, at whose end a token would be 2 ms late (500 readers, bench row
   * app-tokens). The promise resolves at the end of the turn all the same. Promises alone never let the event loop run: while a client
   * takes all, a loop of sends would answer nobody else, and would not see that its own client has left.
   */
  wait(channel: Draining): Promise<void> {
    const drained = new Promise<void>((resolve) => this.#waiters.push(resolve));
    const wasBusy = this.#isBusy;
    this.#isBusy = true;
    try {
      channel.flush();
    } finally {
      this.#isBusy = wasBusy;
    }
    if (channel.bufferedAmount === 0) this.#tellLater(channel);
    return drained;
  }

  /**
   * Called when the buffer is empty. At the end of the turn if the application itself has emptied it by a long send in its drain handler,
   * which would otherwise run inside itself until the stack is full.
   */
  tell(channel: Draining): void {
    if (this.#isBusy) {
      this.#tellLater(channel);
      return;
    }
    this.#isQueued = false;
    this.#isBusy = true;
    try {
      this.resolve();
      channel.callDrain();
    } finally {
      this.#isBusy = false;
    }
  }

  /** Resolves the promises. */
  resolve(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  #tellLater(channel: Draining): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    setImmediate(() => {
      // Otherwise it was told meanwhile.
      if (!this.#isQueued) return;
      this.#isQueued = false;
      if (channel.bufferedAmount === 0) this.tell(channel);
    });
  }
}
