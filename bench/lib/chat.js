// @ts-check
// The chat of the row app-chat. Its server numbers what happens, so that clients can tell that nothing is missing: `n` counts the
// members who come and go and the lines, `t` the notices of typing, which do not reach their own sender.

/** The lines that a newcomer is sent. */
export const KEPT = 20;

/** The name in the URL of a member. @param {string} [url] */
export function nameIn(url = "") {
  return new URLSearchParams(url.slice(url.indexOf("?") + 1)).get("name") ?? "";
}
