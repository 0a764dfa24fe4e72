// @ts-check
// Latencies as the generator sees them: a histogram that is made before the window, so that a sample costs some 50 ns
// of the generator's time, and its percentiles.
import { createHistogram } from "node:perf_hooks";

const histogram = createHistogram();
/** The samples of all windows before this one. */
const earlier = createHistogram();

/** Forgets the warm-up. */
export function forgetLatencies() {
  histogram.reset();
}

/** @param {number} since by `performance.now()` */
export function tookSince(since) {
  took(performance.now() - since);
}

/** @param {number} milliseconds */
export function took(milliseconds) {
  // A histogram counts whole nanoseconds from 1.
  histogram.record(Math.max(1, Math.round(milliseconds * 1e6)));
}

/** Percentiles in milliseconds; empty without samples. */
export function latencies() {
  return percentiles(histogram);
}

/** Begins the next window, and keeps the samples of this one for `allLatencies`. */
export function nextLatencies() {
  earlier.add(histogram);
  histogram.reset();
}

/** Percentiles over all windows that `nextLatencies` has ended. */
export function allLatencies() {
  return percentiles(earlier);
}

/** @param {import("node:perf_hooks").RecordableHistogram} samples */
function percentiles(samples) {
  if (samples.count === 0) return {};
  return Object.fromEntries([50, 99, 99.9].map((share) => [`p${share}`, samples.percentile(share) / 1e6]));
}
