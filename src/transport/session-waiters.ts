// Those who wait for a change of a session, for a limited time. It has no timer: the time is looked at with the beat.

interface Waiter {
  readonly isMet: () => boolean;
  readonly ms: number;
  /** The first beat that has seen it; 0: none. */
  since: number;
  readonly resolve: () => void;
}

export class SessionWaiters {
  #waiters: Waiter[] = [];

  /** Resolves when `isMet` or the session is over, at the latest after about `ms`. */
  wait(isMet: () => boolean, ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push({ isMet, ms, since: 0, resolve });
    });
  }

  /** Resolves what need not wait any more. `now` is given with the beat. */
  wake(isOver: boolean, now?: number): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (waiter.since === 0 && now !== undefined) waiter.since = now;
      const isLate = now !== undefined && now - waiter.since >= waiter.ms;
      if (isLate || isOver || waiter.isMet()) waiter.resolve();
      else this.#waiters.push(waiter);
    }
  }
}
