// @ts-check
// The code of a file as V8 reads it fastest: ASCII alone, and a tab for each level. Of a file with one other character V8 keeps and
// scans two bytes for each; four spaces are four characters to skip (docs/decisions/0064). Nothing else changes: the same lines, names
// and comments.

/** @typedef {{ readonly type?: unknown, readonly start?: unknown, readonly end?: unknown }} Node */
/** @typedef {{ readonly start: number, readonly end: number }} Range */

/** In comments. */
const WORDS = new Map([
  ["§", "section "],
  ["µ", "u"],
  ["–", "-"],
  ["…", "..."],
  ["→", "->"],
  ["←", "<-"],
  ["×", "x"],
  ["≤", "<="],
  ["≥", ">="],
]);

/**
 * Throws an error for a character in a comment that has no word.
 * @param {string} code
 * @param {(code: string) => unknown} parse returns the tree of ESTree, whose nodes have `start` and `end`
 */
export function toOneByte(code, parse) {
  const literals = literalsOf(parse(code));
  /** Whether the character at this index belongs to a text or an expression, which must not change. The index only grows. */
  const isInLiteral = walk(literals);
  const isInText = walk(literals);
  return code.replace(/^(?: {4})+|[^\0-\x7f]/gm, (found, /** @type {number} */ index) => {
    if (found.startsWith(" ")) return isInText(index) ? found : "\t".repeat(found.length / 4);
    if (isInLiteral(index)) return `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`;
    const word = WORDS.get(found);
    if (word === undefined) throw new Error(`scripts/lib/one-byte.js has no word for ${found} in a comment`);
    return word;
  });
}

/** @param {readonly Range[]} ranges */
function walk(ranges) {
  let at = 0;
  return (/** @type {number} */ index) => {
    while (at < ranges.length && /** @type {Range} */ (ranges[at]).end <= index) at += 1;
    const range = ranges[at];
    return range !== undefined && range.start <= index;
  };
}

/** Texts, regular expressions and the parts of templates, in their order. @param {unknown} tree */
function literalsOf(tree) {
  /** @type {Range[]} */
  const found = [];
  const visit = (/** @type {unknown} */ node) => {
    if (typeof node !== "object" || node === null) return;
    const { type, start, end } = /** @type {Node} */ (node);
    if ((type === "Literal" || type === "TemplateElement") && typeof start === "number" && typeof end === "number") {
      found.push({ start, end });
    } else for (const value of Object.values(node)) visit(value);
  };
  visit(tree);
  return found.sort((a, b) => a.start - b.start);
}
