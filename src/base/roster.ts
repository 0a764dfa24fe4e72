// Those who are there, in no order: a set that its items help to keep, each by knowing its place.
// Where many come and go, a Set or a Map makes itself anew again and again, and V8 keeps a chain of all its old tables, with
// whom they held, until the next full collection. A thousand that come and go together cost a seventh here
// (bench/micro/roster.js, docs/decisions/0015).

export interface Listed {
  /** Where the one roster that has it finds it; -1: none has. Nobody else's business. */
  place: number;
}

export class Roster<Item extends Listed> {
  readonly #items: Item[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** It must not be in a roster. */
  add(item: Item): void {
    item.place = this.#items.push(item) - 1;
  }

  /** False if it was in no roster; it must not be in another one. */
  delete(item: Item): boolean {
    const { place } = item;
    if (place === -1) return false;
    item.place = -1;
    const last = this.#items.pop()!;
    if (last !== item) {
      this.#items[place] = last;
      last.place = place;
    }
    return true;
  }

  /** Puts `item`, which must not be in a roster, where `old` is. */
  replace(old: Item, item: Item): void {
    this.#items[old.place] = item;
    item.place = old.place;
    old.place = -1;
  }

  /** Those who are here now, whoever comes or goes meanwhile: an array of its own. */
  all(): Item[] {
    return this.#items.slice();
  }
}
