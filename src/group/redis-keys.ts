// Names and ids of the Redis backplane. Keys are binary-safe, so a group's name goes in as it is; only what has no UTF-8
// is written another way. All keys share one hash tag: a process reads all its groups with one XREAD, and a Redis
// Cluster answers that only for keys of one slot.

/** A stream id of Redis: milliseconds and a sequence, both unsigned 64 bit, in their shortest form. */
const ID = /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/;
const MAX_U64 = "18446744073709551615";
const LONE_SURROGATE = /\p{Surrogate}/u;

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

export class RedisKeys {
  readonly #tag: string;

  constructor(prefix: string) {
    this.#tag = `{${prefix}}`;
  }

  /** Written once, by the first process; lost only with everything else. */
  get generation(): string {
    return `${this.#tag}:generation`;
  }

  /** The stream of a group. */
  stream(group: string): string {
    return `${this.#tag}:stream${encodeName(group)}`;
  }

  /** The hash of who is present in a group. */
  members(group: string): string {
    return `${this.#tag}:members${encodeName(group)}`;
  }

  /** A process: a small stream that wakes its reader, and that lives as long as the process does. */
  process(id: string): string {
    return `${this.#tag}:process:${id}`;
  }
}

/** No two names give the same text. UTF-8 has no form for half a surrogate pair, so such names go in as UTF-16 units. */
function encodeName(name: string): string {
  if (!LONE_SURROGATE.test(name)) return `:${name}`;
  return `*${Array.from({ length: name.length }, (_, i) => name.charCodeAt(i).toString(16).padStart(4, "0")).join("")}`;
}
