// The POSTs of one session that are being read or answered: their number, and whose records are next.

/** Most POSTs of one session at the same time. A client needs two: for records, and for acknowledgements. */
export const MAX_POSTS = 4;

export interface Post {
  /** The number of its first record. */
  readonly from: number;
  /** The size of its body or records, while they wait. */
  bytes: number;
}

export class Posts {
  readonly #underWay = new Set<Post>();

  get isFull(): boolean {
    return this.#underWay.size >= MAX_POSTS;
  }

  /** Adds a POST; the caller must `leave`, however the POST ends. */
  enter(from: number): Post {
    const post = { from, bytes: 0 };
    this.#underWay.add(post);
    return post;
  }

  leave(post: Post): void {
    this.#underWay.delete(post);
  }

  /** True if no other POST has a lower number: on several connections, a later POST's body may be complete first. */
  isFirst(post: Post): boolean {
    for (const { from } of this.#underWay) if (from < post.from) return false;
    return true;
  }
}
