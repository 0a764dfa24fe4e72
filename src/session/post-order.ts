// The POSTs of a session that are under way: how many may be, and which one is next.

/** POSTs of one session that are read or answered at the same time. A client needs two: records, and acknowledgements. */
export const MAX_POSTS = 4;

export interface Post {
  readonly from: number;
  /** The size of its records, while they wait. */
  bytes: number;
}

/** The POSTs of one session that are under way. */
export class Posts {
  readonly #underWay = new Set<Post>();

  get isFull(): boolean {
    return this.#underWay.size >= MAX_POSTS;
  }

  /** `leave` follows, whatever becomes of it. */
  enter(from: number): Post {
    const post = { from, bytes: 0 };
    this.#underWay.add(post);
    return post;
  }

  leave(post: Post): void {
    this.#underWay.delete(post);
  }

  /**
   * POSTs may arrive on several connections at once: their records are taken in the order of `from`, whichever body is whole
   * first.
   */
  isFirst(post: Post): boolean {
    for (const { from } of this.#underWay) if (from < post.from) return false;
    return true;
  }
}
