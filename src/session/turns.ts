// Spreads work that many clients ask for at once over turns of the event loop: each turn does a limited amount, in the order
// of the requests, and all other connections have their turn in between.

import { Queue } from "../base/queue.ts";

export class Turns {
  readonly #perTurn: number;
  /** The amount that this turn has taken. */
  #used = 0;
  readonly #waiting = new Queue<{ readonly amount: number; readonly resolve: () => void }>();
  #isScheduled = false;

  constructor(perTurn: number) {
    this.#perTurn = perTurn;
  }

  /** Returns undefined if there is room in this turn; otherwise a promise that resolves in a turn that has room. */
  take(amount: number): Promise<void> | undefined {
    this.#schedule();
    if (this.#waiting.length === 0 && this.#fits(amount)) {
      this.#used += amount;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push({ amount, resolve }));
  }

  /** The first amount of a turn always fits. */
  #fits(amount: number): boolean {
    return this.#used === 0 || this.#used + amount <= this.#perTurn;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#nextTurn());
  }

  #nextTurn(): void {
    this.#isScheduled = false;
    this.#used = 0;
    for (
      let first = this.#waiting.at(0);
      first !== undefined && this.#fits(first.amount);
      first = this.#waiting.at(0)
    ) {
      this.#waiting.shift();
      this.#used += first.amount;
      first.resolve();
    }
    if (this.#used > 0) this.#schedule();
  }
}
