// Something to do when the code that runs now has returned.

const NOW: Promise<void> = Promise.resolve();

/**
 * As `queueMicrotask`, for functions that never throw. Node makes an AsyncResource and a bound function for each of those;
 * a promise's reaction costs half the time (31 ns instead of 70, Node 20.20) and a quarter of the memory.
 */
export function inMicrotask(fn: () => void): void {
  void NOW.then(fn);
}
