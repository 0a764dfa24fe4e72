// Those who wait for a change of a session, for so long at most: the time is looked at with the beat.

interface Waiter {
  readonly isMet: () => boolean;
  readonly ms: number;
  /** The first beat that has seen it; 0: none. */
  since: number;
  readonly resolve: () => void;
}

export class Waiters {
  /** Undefined when empty, as it nearly always is. */
  #waiting: Waiter[] | undefined;

  /** Resolves when `isMet` at a `wake`, or after about `ms`. */
  wait(isMet: () => boolean, ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push({ isMet, ms, since: 0, resolve });
    });
  }

  /** Resolves what need not wait any more; all of it if the session `isOver`. `now` is given with the beat. */
  wake(isOver: boolean, now?: number): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    for (const waiter of waiting) {
      if (waiter.since === 0 && now !== undefined) waiter.since = now;
      const isLate = now !== undefined && now - waiter.since >= waiter.ms;
      if (isLate || isOver || waiter.isMet()) waiter.resolve();
      else {
        this.#waiting ??= [];
        this.#waiting.push(waiter);
      }
    }
  }
}
