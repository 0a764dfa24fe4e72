// The memory that a text takes. JavaScript does not tell it. V8, SpiderMonkey and JavaScriptCore all store one byte per
// character if no character is above U+00FF, otherwise two.

/**
 * V8 compiles this pattern for a text of one byte per character as one that cannot match, and does not read the text: 40 ns
 * for any length (Node 20.20). A text of two bytes per character is searched up to the first match.
 */
const WIDE = /[^\0-\xff]/;

/** The smallest size with which a waiting message counts: an empty one takes memory, too. */
export const MIN_HELD_BYTES = 64;

/** Returns the bytes with which a message counts while it waits. */
export function heldBytes(data: string | Uint8Array): number {
  return Math.max(memorySize(data), MIN_HELD_BYTES);
}

/** Returns the memory of a message's data, in bytes. */
export function memorySize(data: string | Uint8Array): number {
  return typeof data === "string" && WIDE.test(data) ? 2 * data.length : data.length;
}
