// The `Date` field of responses (RFC 9110 §6.6.1), made once a second.

import type { Clock } from "../base/clock.ts";

/** A function that gives the whole field line for the present second. */
export function dateField(clock: Clock): () => string {
  let field = "";
  return () => {
    if (field !== "") return field;
    const now = clock.date?.() ?? clock.now();
    field = `Date: ${new Date(now).toUTCString()}\r\n`;
    // A timer a second while there are responses costs less than asking the clock for each (55 ns of 1.2 µs).
    clock.setTimer(
      () => {
        field = "";
      },
      1000 - (now % 1000),
    );
    return field;
  };
}
