// @ts-check
// Compares counts with those of guard.json.

/**
 * Counts by path and by what is counted.
 * @typedef {Record<string, Record<string, number>>} Counts
 * @typedef {{ name: string, what: string, now: number, before: number | undefined, limit: number, isWorse: boolean, isBetter: boolean }} Row
 */

export const INSTRUCTIONS = "instructions per operation";

/** Optimized code and inline caches differ a little from run to run: heap bytes by less than 3 % and 16 bytes, instructions by less than 2 %. */
const TOLERANCES = [
  { of: /^bytes /, ratio: 1.03, plus: 16 },
  { of: /^instructions /, ratio: 1.02, plus: 0 },
];

/** One row for each count that was measured. @param {Counts} measured @param {Counts} baseline @returns {Row[]} */
export function compareCounts(measured, baseline) {
  return Object.entries(measured).flatMap(([name, counts]) =>
    Object.entries(counts).map(([what, now]) => {
      const before = baseline[name]?.[what];
      const limit = before === undefined ? Number.POSITIVE_INFINITY : limitOf(what, before);
      const isBetter = before !== undefined && limitOf(what, now) < before;
      return { name, what, now, before, limit, isWorse: now > limit, isBetter };
    }),
  );
}

/** The highest count that is not worse. @param {string} what @param {number} before */
function limitOf(what, before) {
  const { ratio, plus } = TOLERANCES.find(({ of }) => of.test(what)) ?? { ratio: 1, plus: 0 };
  return before * ratio + plus;
}

/** @param {Row} row */
export function toLine({ name, what, now, before, limit, isWorse, isBetter }) {
  const mark = isWorse ? "WORSE " : isBetter ? "better" : "      ";
  const beside =
    before === undefined
      ? "no number to compare with"
      : `${before} in guard.json${isWorse ? `: ${change(before, now)}, at most ${Math.floor(limit)}` : ""}`;
  return `${mark} ${name}: ${now} ${what} (${beside})`;
}

/** The counts that `--update` changes. @param {readonly Row[]} rows */
export function toChanges(rows) {
  return rows
    .filter(({ before, now }) => before !== now)
    .map(
      ({ name, what, before, now }) =>
        `${name}: ${what} ${before ?? "none"} → ${now}${before ? `, ${change(before, now)}` : ""}`,
    );
}

/** @param {number} before @param {number} now */
function change(before, now) {
  const percent = ((now - before) / before) * 100;
  return `${percent > 0 ? "+" : ""}${percent.toFixed(1)} %`;
}
