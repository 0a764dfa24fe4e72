// Checks that an options object has no unknown names. TypeScript finds a typing mistake; plain JavaScript would ignore
// the option in silence.

import { ChannelError } from "./channel-error.ts";

/**
 * Throws BAD_OPTION if `options` is no object, or has a name that is not in `known`; the text suggests the nearest name. A
 * name counts whatever its value, `undefined` too, and where it is inherited, as its value would be. Symbols are no mistakes
 * of typing: they are passed over.
 *
 * @param owner the function whose options these are, for the error's text
 * @param known all names
 */
export function checkOptionNames(owner: string, options: unknown, known: readonly string[]): void {
  checkObject(owner, options);
  for (const name in options) {
    if (!known.includes(name)) throw new ChannelError("BAD_OPTION", unknownName(`${owner} has no option`, name, known));
  }
}

/**
 * The same for options that go on to Node, whose newer versions may have more of them than are known here: refuses only a name
 * that is nearly a known one.
 */
export function checkNearNames(owner: string, options: unknown, known: readonly string[]): void {
  checkObject(owner, options);
  for (const name in options) {
    if (known.includes(name)) continue;
    const near = known.find((one) => isMistyped(name, one));
    if (near !== undefined) {
      throw new ChannelError("BAD_OPTION", `${owner} has no option "${name}"; did you mean "${near}"?`);
    }
  }
}

function checkObject(owner: string, options: unknown): asserts options is object {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return;
  throw new ChannelError("BAD_OPTION", `the options of ${owner} must be an object, not ${describe(options)}`);
}

/** One letter of three to seven, two of eight, or upper case for lower case. */
function isMistyped(name: string, known: string): boolean {
  const allowed = known.length < 3 ? 0 : known.length < 8 ? 1 : 2;
  return Math.abs(name.length - known.length) <= 2 && editDistance(name.toLowerCase(), known.toLowerCase()) <= allowed;
}

/** `has no option "prot"; did you mean "port"?`, or the whole list where nothing is near. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return `${what} "${name}"; ${near === undefined ? `known are ${known.join(", ")}` : `did you mean "${near}"?`}`;
}

function describe(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
}

/** The known name with the least edit distance, if at most a third of it has to change; otherwise one that contains the name. */
function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const one of known) {
    const distance = editDistance(name.toLowerCase(), one.toLowerCase());
    if (distance < least) [best, least] = [one, distance];
  }
  if (best !== undefined && least <= Math.max(2, best.length / 3)) return best;
  return name.length < 4 ? undefined : known.find((one) => one.toLowerCase().includes(name.toLowerCase()));
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
