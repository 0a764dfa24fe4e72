// @ts-check
// A clock that two processes of one machine share: messages carry the time at which they were made.

/** Milliseconds by the monotonic clock of the system. */
export function now() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
