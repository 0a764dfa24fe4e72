// @ts-check
// Shows the progress of a run: in a terminal one line that is rewritten, otherwise a line for each row.

export class Progress {
  /** Planned seconds of all rows. @type {number} */
  #planned;
  #done = 0;
  #rows;
  #rowsDone = 0;
  #start = performance.now();

  /** @param {readonly number[]} seconds of each row, about */
  constructor(seconds) {
    this.#rows = seconds.length;
    this.#planned = seconds.reduce((sum, row) => sum + row, 0);
  }

  total() {
    return minutes(this.#planned);
  }

  /** @param {string} what is under way */
  show(what) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K  ${what} (${this.#position()})`);
  }

  clear() {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  }

  /** So much of what was planned is done. @param {number} seconds */
  add(seconds) {
    this.#done += seconds;
  }

  /** @param {string} name */
  rowDone(name) {
    this.#rowsDone += 1;
    if (!process.stderr.isTTY) process.stderr.write(`  ${name} done (${this.#position()})\n`);
  }

  /** Estimates the remaining time: rows still to come deviate from their plan as much as those that are done. */
  #position() {
    const elapsed = (performance.now() - this.#start) / 1000;
    const pace = this.#done > 0 ? elapsed / this.#done : 1;
    const left = pace * (this.#planned - this.#done);
    return `${this.#rowsDone} of ${this.#rows} rows, ${minutes(elapsed)}, ${minutes(left)} to go`;
  }
}

/** @param {number} seconds */
function minutes(seconds) {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${(seconds / 60).toFixed(1)} min`;
}
