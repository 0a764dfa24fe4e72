// Checks of options that go on to Node, whose newer versions may have more of them than are known here.

import { ChannelError } from "./channel-error.ts";
import { checkObject, isNear } from "./option-names.ts";

/** Throws BAD_OPTION if `options` is no object, or has a name that is nearly one of `known`. */
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

/** One letter of three to seven, two of eight, or upper case for lower case. */
function isMistyped(name: string, known: string): boolean {
  const allowed = known.length < 3 ? 0 : known.length < 8 ? 1 : 2;
  return isNear(name.toLowerCase(), known.toLowerCase(), allowed);
}
