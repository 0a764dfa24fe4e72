// Checks of options that are passed on to Node, which may know more of them than this file.

import { badOption } from "./bad-option.ts";
import { checkObject, isNear } from "./option-names.ts";

/** Throws BAD_OPTION if `options` is not an object, or has a name that differs slightly from one of `known`. */
export function checkNearNames(owner: string, options: unknown, known: readonly string[]): void {
  checkObject(owner, options);
  for (const name in options) {
    if (known.includes(name)) continue;
    const near = known.find((one) => isMistyped(name, one));
    if (near !== undefined) {
      throw badOption(`${owner} has no option "${name}"; did you mean "${near}"?`);
    }
  }
}

/** Returns true for names that differ in case, in one of three to seven letters, or in two of eight or more. */
function isMistyped(name: string, known: string): boolean {
  const allowed = known.length < 3 ? 0 : known.length < 8 ? 1 : 2;
  return isNear(name.toLowerCase(), known.toLowerCase(), allowed);
}
