// Requests of a session that wait for a change of it: for room, for what stands before them, for what the application takes.

interface Waiter {
  readonly isMet: () => boolean;
  readonly ms: number;
  /** The first beat that has seen it; 0: none. */
  since: number;
  readonly resolve: () => void;
}

export class Waiters {
  #waiting: Waiter[] = [];

  /** Resolves when `wake` finds `isMet`, at the latest after about `ms`. */
  wait(isMet: () => boolean, ms: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ isMet, ms, since: 0, resolve }));
  }

  /** Resolves what need not wait any more; with `isOver` all. `now` is given with the beat. Answers how many still wait. */
  wake(isOver: boolean, now: number | undefined): number {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      if (waiter.since === 0 && now !== undefined) waiter.since = now;
      const isLate = now !== undefined && now - waiter.since >= waiter.ms;
      if (isLate || isOver || waiter.isMet()) waiter.resolve();
      else this.#waiting.push(waiter);
    }
    return this.#waiting.length;
  }
}
