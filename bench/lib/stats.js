// @ts-check
// The statistics of a table of rounds.

/** @param {readonly number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/**
 * Median and both ends.
 * @param {readonly number[]} values
 */
export function summary(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * Each round's value divided by the peer's value of the same round: a disturbance affects both.
 * @param {readonly number[]} subject
 * @param {readonly number[]} peer
 */
export function ratios(subject, peer) {
  return summary(subject.map((value, round) => value / (peer[round] ?? Number.NaN)));
}
