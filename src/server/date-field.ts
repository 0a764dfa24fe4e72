// Makes the `Date` field of responses (RFC 9110 §6.6.1) once a second.

import { type Clock, dateOf } from "../base/clock.ts";

/** Returns a function that returns the whole field line for the present second. */
export function dateField(clock: Clock): () => string {
  let field: string | undefined;
  return () => {
    if (field !== undefined) return field;
    const now = dateOf(clock);
    field = `Date: ${new Date(now).toUTCString()}\r\n`;
    // One timer a second, while there are responses, costs less than asking the clock for each (55 ns of 1.2 µs).
    const forget = (): void => {
      field = undefined;
    };
    clock.setTimer(forget, 1000 - (now % 1000));
    return field;
  };
}
