// Checks that an options object has no unknown names. TypeScript finds a misspelled name; plain JavaScript would silently
// ignore the option.

import { badOption, show } from "./bad-option.ts";

/**
 * Throws BAD_OPTION if `options` is not an object, or has a name that is not in `known`; the text suggests the nearest name. A
 * name counts even if its value is `undefined` or inherited. Symbols are ignored.
 *
 * @param owner the function whose options these are, for the error's text
 * @param known all names
 */
export function checkOptionNames(owner: string, options: unknown, known: readonly string[]): void {
  checkObject(owner, options);
  for (const name in options) {
    if (!known.includes(name)) throw badOption(unknownName(`${owner} has no option`, name, known));
  }
}

export function checkObject(owner: string, options: unknown): asserts options is object {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return;
  throw badOption(`the options of ${owner} must be an object, not ${show(options)}`);
}

/** Returns `has no option "prot"; did you mean "port"?`, or the whole list if no name is near. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const near = nearest(name.toLowerCase(), known);
  return `${what} "${name}"; ${near === undefined ? `known are ${known.join(", ")}` : `did you mean "${near}"?`}`;
}

/**
 * Returns the known name that needs the fewest changes, if they are at most two, or a third of its letters up to four;
 * otherwise one that contains the name.
 */
function nearest(name: string, known: readonly string[]): string | undefined {
  for (let changes = 0; changes <= Math.min(4, Math.max(2, name.length / 3)); changes++) {
    const near = known.find((one) => isNear(name, one.toLowerCase(), changes));
    if (near !== undefined) return near;
  }
  return name.length < 4 ? undefined : known.find((one) => one.toLowerCase().includes(name));
}

/**
 * Returns true if adding, removing or replacing `changes` letters makes one of the other (Levenshtein). Each further change
 * triples the work.
 */
export function isNear(a: string, b: string, changes: number): boolean {
  if (a === b) return true;
  const restA = a.slice(1);
  const restB = b.slice(1);
  if (a[0] === b[0]) return isNear(restA, restB, changes);
  const left = changes - 1;
  return changes > 0 && (isNear(restA, b, left) || isNear(a, restB, left) || isNear(restA, restB, left));
}
