// The end of a client's identity: a date, because the token or cookie that proves the identity has one. It is compared with the
// date of the system at each tick of the server, as the application compares the date in a token: a jump of the system's date
// counts for both, and a date decades ahead needs no timer.

import { type Clock, dateOf } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import { badOption, badValue, type ValueCheck } from "../base/option-values.ts";

/** Close code of a channel whose identity has ended: PROTOCOL.md, "The end". */
export const EXPIRED = 4401;
/** Reason of that close. */
export const EXPIRED_REASON = "identity expired";

/** Throws BAD_OPTION. */
export const checkExpiry: ValueCheck = (name, value) => {
  const isRight = typeof value === "number" ? !Number.isNaN(value) : isDate(value);
  if (!isRight) throw badValue(name, value, "a date: milliseconds since 1970, or a valid Date");
};

/**
 * Returns the option `expiresAt` in milliseconds; undefined if none is given. Throws IDENTITY_EXPIRED for a date that has passed,
 * and BAD_OPTION for a number that is no date, or counts seconds.
 */
export function toExpiry(value: number | Date | undefined, clock: Clock): number | undefined {
  if (value === undefined) return undefined;
  // Also here: an object of options that many channels share is checked once, and may have been changed since.
  checkExpiry("expiresAt", value);
  const now = dateOf(clock);
  const expiresAt = Number(value);
  if (expiresAt > now) return expiresAt;
  // The `exp` of a JWT counts seconds (RFC 7519 §2). Taken for milliseconds it is a day in 1970, and every client would be refused.
  if (typeof value === "number" && value > now / 2000 && value < now / 500)
    throw badOption(`expiresAt is ${value}, which seems to count seconds; it counts milliseconds: give exp * 1000`);
  throw new ChannelError("IDENTITY_EXPIRED");
}

/** `instanceof` would refuse a Date of another realm, as of a test runner with contexts of its own. */
function isDate(value: unknown): boolean {
  return Object.prototype.toString.call(value) === "[object Date]" && !Number.isNaN((value as Date).getTime());
}
