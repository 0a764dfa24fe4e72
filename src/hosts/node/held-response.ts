// A whole response that Node holds because its client has not taken it. Its bytes count as unsent, and a client that takes none of
// them is found.

import type { ServerResponse } from "node:http";
import type { BufferBudget } from "../../transport/io/buffer-budget.ts";

export class HeldResponse {
  readonly #response: ServerResponse;
  readonly #budget: BufferBudget;
  /** The length that is in the budget. */
  #counted = 0;
  #stalledSince: number | undefined;

  constructor(response: ServerResponse, buffered: BufferBudget) {
    this.#response = response;
    this.#budget = buffered;
    this.#count(response.writableLength);
  }

  /** Called about twice a second. Returns true if the client has taken none of it for `writeTimeoutMs`. */
  isStalled(now: number, writeTimeoutMs: number): boolean {
    const bytes = this.#response.writableLength;
    // A client cannot take a response that waits for an earlier one on its connection. If no byte is unsent, it has taken all.
    const hasMoved = bytes === 0 || bytes !== this.#counted || this.#response.socket === null;
    this.#count(bytes);
    if (hasMoved) this.#stalledSince = undefined;
    this.#stalledSince ??= now;
    return !hasMoved && now - this.#stalledSince >= writeTimeoutMs;
  }

  /** It counts no longer. */
  release(): void {
    this.#count(0);
  }

  #count(bytes: number): void {
    this.#budget.change(this.#counted, bytes);
    this.#counted = bytes;
  }
}
