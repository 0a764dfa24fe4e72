// @ts-check
// The section of a guide that brings channels into the starter of a framework, as steps that a program can take. Its blocks of
// `sh` are commands: those before the first file prepare the starter, those after the last one start it. Every other block is a file, or
// lines for one, as the comment in its first line says:
//   // routes/live.js                       the whole file
//   // app.js, below `const app = …;`       lines below this one

/**
 * @typedef {object} Edit
 * @property {string} file
 * @property {string} [below] the line above the new lines; undefined for a whole file
 * @property {string} text
 */

/** @typedef {{ prepare: string[], edits: Edit[], start: string[] }} Steps */

/**
 * The steps of the section of a guide whose heading has this beginning.
 * @param {string} guide the text of the guide
 * @param {string} heading
 * @returns {Steps}
 */
export function stepsOf(guide, heading) {
  const section = guide.split(/^## /m).find((part) => part.startsWith(heading));
  if (section === undefined) throw new Error(`no section "${heading}"`);
  /** @type {Steps} */
  const steps = { prepare: [], edits: [], start: [] };
  for (const [, language, text = ""] of section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)) {
    if (language === "sh") (steps.edits.length === 0 ? steps.prepare : steps.start).push(...text.trim().split("\n"));
    else steps.edits.push(editOf(text));
  }
  return steps;
}

/** @param {string} block @returns {Edit} */
function editOf(block) {
  const end = block.indexOf("\n");
  const found = /^\/\/ ([\w./-]+)(?:, below `(.+)`)?$/.exec(block.slice(0, end));
  if (found?.[1] === undefined) throw new Error(`no file in the first line of ${block}`);
  const text = block.slice(end + 1);
  return found[2] === undefined ? { file: found[1], text } : { file: found[1], below: found[2], text };
}

/** The text of a file after an edit. @param {string | undefined} before @param {Edit} edit */
export function edited(before, { file, below, text }) {
  if (below === undefined) return text;
  const lines = (before ?? "").split("\n");
  const at = lines.indexOf(below);
  if (at === -1) throw new Error(`${file} has no line ${below}`);
  lines.splice(at + 1, 0, text);
  return lines.join("\n");
}
