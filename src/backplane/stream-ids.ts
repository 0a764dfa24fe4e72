// Ids of entries: two unsigned 64-bit numbers, the first of which is a time in milliseconds. Redis assigns them: the time of
// the entry and its index within that millisecond. NATS: the time at which the stream was created, and the sequence.

/** Both numbers in their shortest form, so that equal ids are equal texts. */
const ID = /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/;
const MAX_U64 = "18446744073709551615";

/** The position before the first entry of every stream. */
export const BEGINNING = "0-0";

export function isStreamId(text: string): boolean {
  const [, ms, sequence] = ID.exec(text) ?? [];
  if (ms === undefined || sequence === undefined || text === BEGINNING) return false;
  return compareNumbers(ms, MAX_U64) <= 0 && compareNumbers(sequence, MAX_U64) <= 0;
}

/** Returns a negative number, zero or a positive number if `a` is before, equal to or after `b`. */
export function compareStreamIds(a: string, b: string): number {
  const dashA = a.indexOf("-");
  const dashB = b.indexOf("-");
  return compareNumbers(a.slice(0, dashA), b.slice(0, dashB)) || compareNumbers(a.slice(dashA + 1), b.slice(dashB + 1));
}

/** Compares digits without leading zeros: the longer text is the greater number. */
function compareNumbers(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Returns the next id. The last sequence of a millisecond is never reached: that would be 2 ** 64 entries. */
export function nextStreamId(id: string): string {
  const dash = id.indexOf("-");
  return `${id.slice(0, dash)}-${BigInt(id.slice(dash + 1)) + 1n}`;
}
