// Checks that an options object has no unknown names. TypeScript finds a typing mistake; plain JavaScript would ignore
// the option in silence.

import { ChannelError } from "./channel-error.ts";

/**
 * Throws BAD_OPTION if `options` is no object, or has a name that is not in `known`; the text suggests the nearest name.
 *
 * @param owner the function whose options these are, for the error's text
 * @param known all names
 */
export function checkOptionNames(owner: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new ChannelError("BAD_OPTION", `the options of ${owner} must be an object, not ${describe(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new ChannelError("BAD_OPTION", unknownName(`${owner} has no option`, name, known));
  }
}

/** `has no option "prot"; did you mean "port"?`, or the whole list where nothing is near. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return `${what} "${name}"; ${near === undefined ? `known are ${known.join(", ")}` : `did you mean "${near}"?`}`;
}

function describe(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
}

/** The known name with the least edit distance, if at most a third of it has to change. */
function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const one of known) {
    const distance = editDistance(name.toLowerCase(), one.toLowerCase());
    if (distance < least) [best, least] = [one, distance];
  }
  return best !== undefined && least <= Math.max(2, best.length / 3) ? best : undefined;
}

/** Levenshtein's distance, a row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
