// The work that many clients ask for at once, spread over turns of the event loop: in each only so much of it is done, first
// come first served, and all other connections have their turn in between.

import { Queue } from "../base/queue.ts";

export class Turns {
  readonly #perTurn: number;
  /** What was done in this turn, and what was asked for and let go on in the next. */
  #used = 0;
  readonly #waiting = new Queue<{ readonly amount: number; readonly resolve: () => void }>();
  #isScheduled = false;

  constructor(perTurn: number) {
    this.#perTurn = perTurn;
  }

  /** Undefined: there is room in this turn, and it is taken. Otherwise resolves in a turn that has room. */
  take(amount: number): Promise<void> | undefined {
    this.#schedule();
    if (this.#waiting.length === 0 && this.#fits(amount)) {
      this.#used += amount;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push({ amount, resolve }));
  }

  /** The first of a turn always fits. */
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
