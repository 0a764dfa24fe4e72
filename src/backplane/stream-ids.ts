// Ids of entries: two unsigned numbers of 64 bit, the first of which is a time in milliseconds. Redis makes them itself,
// from when an entry came and its place within that millisecond; for NATS they are when the stream was made, and its sequence.

/** Both in their shortest form, so that the same id is the same text. */
const ID = /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/;
const MAX_U64 = "18446744073709551615";

/** Before the first entry of every stream. */
export const BEGINNING = "0-0";

export function isStreamId(text: string): boolean {
  const [, ms, sequence] = ID.exec(text) ?? [];
  if (ms === undefined || sequence === undefined || text === BEGINNING) return false;
  return compareNumbers(ms, MAX_U64) <= 0 && compareNumbers(sequence, MAX_U64) <= 0;
}

/** Negative, zero or positive, as `a` is before, the same as, or after `b`. */
export function compareStreamIds(a: string, b: string): number {
  const dashA = a.indexOf("-");
  const dashB = b.indexOf("-");
  return compareNumbers(a.slice(0, dashA), b.slice(0, dashB)) || compareNumbers(a.slice(dashA + 1), b.slice(dashB + 1));
}

/** Digits without leading zeros: the longer one is greater. */
function compareNumbers(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The id after this one. The last sequence of a millisecond is never reached: it would be 2⁶⁴ entries. */
export function nextStreamId(id: string): string {
  const dash = id.indexOf("-");
  return `${id.slice(0, dash)}-${BigInt(id.slice(dash + 1)) + 1n}`;
}
