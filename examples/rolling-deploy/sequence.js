// @ts-check
// Counts what is missing and what comes twice in a sequence of numbers: 1, 2, 3, …

/** @typedef {{ last: number, lost: number, doubled: number }} Counts */

export class Sequence {
  /** The greatest number so far. */
  last = 0;
  lost = 0;
  doubled = 0;

  /** @param {Counts} [counts] Those of a sequence that goes on here. */
  constructor(counts) {
    Object.assign(this, counts);
  }

  /** As `save` keeps it: an object of a class has to say what it is in JSON. @returns {Counts} */
  toJSON() {
    const { last, lost, doubled } = this;
    return { last, lost, doubled };
  }

  /** @param {number} number */
  take(number) {
    if (number <= this.last) {
      this.doubled += 1;
      return;
    }
    this.lost += number - this.last - 1;
    this.last = number;
  }
}
