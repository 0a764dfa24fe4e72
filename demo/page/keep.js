// @ts-check
// Values that this tab keeps while its page is loaded again. Where the browser allows no storage, a loaded page begins anew.

/** @param {string} name @returns {any} undefined: nothing is kept */
export function kept(name) {
  try {
    return JSON.parse(sessionStorage.getItem(`unichannel-demo-${name}`) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** @param {string} name @param {unknown} value */
export function keep(name, value) {
  try {
    sessionStorage.setItem(`unichannel-demo-${name}`, JSON.stringify(value));
  } catch {
    // Storage is off.
  }
}
