// A list with a limit: the oldest item makes room for a new one.

export class Ring<Item> {
  readonly #limit: number;
  #items: Item[] = [];
  /** The number of items that are not kept any more. */
  dropped = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(item: Item): void {
    this.#items.push(item);
    // Cut in halves: removing the first item of an array moves all others.
    if (this.#items.length < 2 * this.#limit) return;
    this.dropped += this.#items.length - this.#limit;
    this.#items = this.#items.slice(-this.#limit);
  }

  /** The latest items, oldest first. */
  latest(): readonly Item[] {
    return this.#items.slice(-this.#limit);
  }

  /** Items that `latest` does not return. */
  get left(): number {
    return this.dropped + Math.max(this.#items.length - this.#limit, 0);
  }
}
