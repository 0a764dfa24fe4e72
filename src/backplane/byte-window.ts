// Limits the bytes that are on their way to a broker. What exceeds the limit waits for its turn, in the order of the calls.

import { Queue } from "../base/queue.ts";

export class ByteWindow {
  readonly #maxBytes: number;
  #bytes = 0;
  readonly #waiting = new Queue<{ readonly bytes: number; readonly start: () => void }>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Runs `run`, which sends `bytes`, when they fit. More than the limit is sent alone. */
  async run<T>(bytes: number, run: () => Promise<T>): Promise<T> {
    if (this.#waiting.length === 0 && this.#fits(bytes)) this.#bytes += bytes;
    else await new Promise<void>((start) => this.#waiting.push({ bytes, start }));
    try {
      return await run();
    } finally {
      this.#bytes -= bytes;
      this.#startNext();
    }
  }

  #startNext(): void {
    for (let next = this.#waiting.at(0); next !== undefined && this.#fits(next.bytes); next = this.#waiting.at(0)) {
      this.#waiting.shift();
      this.#bytes += next.bytes;
      next.start();
    }
  }

  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#maxBytes;
  }
}
