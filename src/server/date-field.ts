// The `Date` field of responses (RFC 9110 §6.6.1), made once a second.

import type { Clock } from "../base/clock.ts";

/** A function that gives the whole field line for the present second. */
export function dateField(clock: Clock): () => string {
  let second = -1;
  let field = "";
  return () => {
    const now = Math.floor(clock.now() / 1000);
    if (now !== second) {
      second = now;
      field = `Date: ${new Date(now * 1000).toUTCString()}\r\n`;
    }
    return field;
  };
}
