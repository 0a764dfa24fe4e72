// POSTs of a session that wait for a condition: room for their records, the records before them, or the application.

interface Waiter {
  readonly isMet: () => boolean;
  readonly ms: number;
  /** The first tick that found it waiting; undefined before. */
  since: number | undefined;
  readonly resolve: () => void;
}

export class Waiters {
  #waiting: Waiter[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Resolves when `check` finds `isMet`, or when `ms` have passed since the first tick. */
  wait(isMet: () => boolean, ms: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ isMet, ms, since: undefined, resolve }));
  }

  /** Resolves those whose condition is met. `now` is given with a tick, which resolves those that have waited long enough. */
  check(now: number | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      waiter.since ??= now;
      const isLate = now !== undefined && now - waiter.since! >= waiter.ms;
      if (isLate || waiter.isMet()) waiter.resolve();
      else this.#waiting.push(waiter);
    }
  }

  resolveAll(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve } of waiting) resolve();
  }
}
