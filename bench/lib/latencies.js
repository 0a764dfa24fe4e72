// @ts-check
// Latencies as the generator sees them: a histogram that is made before the window, so that a sample costs some 50 ns
// of the generator's time, and its percentiles.
import { createHistogram } from "node:perf_hooks";

const histogram = createHistogram();

/** Forgets the warm-up. */
export function forgetLatencies() {
  histogram.reset();
}

/** @param {number} since by `performance.now()` */
export function tookSince(since) {
  // A histogram counts whole nanoseconds from 1.
  histogram.record(Math.max(1, Math.round((performance.now() - since) * 1e6)));
}

/** Percentiles in milliseconds; empty without samples. */
export function latencies() {
  if (histogram.count === 0) return {};
  return Object.fromEntries([50, 99, 99.9].map((share) => [`p${share}`, histogram.percentile(share) / 1e6]));
}
