// The POSTs of one session that are being read or answered: their number, whose records are next, and the conditions for which
// they wait.

/** Most POSTs of one session at the same time. A client needs two: for records, and for acknowledgements. */
export const MAX_POSTS = 4;

export interface Post {
  /** The number of its first record. */
  readonly from: number;
  /** Drops the connection: the client sends its records again. */
  readonly drop: () => void;
  /** The size of its body or records, while they wait. */
  bytes: number;
}

interface Waiter {
  readonly isMet: () => boolean;
  readonly ms: number;
  /** The first tick that found it waiting; undefined before. */
  since: number | undefined;
  readonly resolve: () => void;
}

export class Posts {
  readonly #underWay = new Set<Post>();
  #waiting: Waiter[] = [];

  get isFull(): boolean {
    return this.#underWay.size >= MAX_POSTS;
  }

  /** True while a POST is being read or answered. */
  get areUnderWay(): boolean {
    return this.#underWay.size > 0;
  }

  /** Adds a POST; the caller must `leave`, however the POST ends. */
  enter(from: number, drop: () => void): Post {
    const post = { from, drop, bytes: 0 };
    this.#underWay.add(post);
    return post;
  }

  leave(post: Post): void {
    this.#underWay.delete(post);
    this.check();
  }

  /** Drops all POSTs without an answer. */
  dropAll(): void {
    for (const { drop } of [...this.#underWay]) drop();
  }

  /** True if no other POST has a lower number: on several connections, a later POST's body may be complete first. */
  isFirst(post: Post): boolean {
    for (const { from } of this.#underWay) if (from < post.from) return false;
    return true;
  }

  /** Resolves when `check` finds `isMet`, or when `ms` have passed since the first tick. */
  wait(isMet: () => boolean, ms: number): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ isMet, ms, since: undefined, resolve }));
  }

  /** Resolves those whose condition is met. `now` is given with a tick, which resolves those that have waited long enough. */
  check(now?: number): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      waiter.since ??= now;
      const isLate = now !== undefined && now - waiter.since! >= waiter.ms;
      if (isLate || waiter.isMet()) waiter.resolve();
      else this.#waiting.push(waiter);
    }
  }
}
