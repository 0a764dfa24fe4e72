// @ts-check
// llms.txt (https://llmstxt.org): a list of all documents with one sentence for each, made of the documents' own headings and
// first sentences.
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** The sections of the list, in order, and the folder of each. Sections without documents are left out. */
const SECTIONS = /** @type {const} */ ([
  ["Tutorial", "docs/tutorial"],
  ["How-to", "docs/how-to"],
  ["Explanation", "docs/explanation"],
  ["Reference", "docs/reference"],
]);
/** Documents that no section has. The last section of the form, "Optional", may be skipped by a reader with little room. */
const MORE = ["docs/glossary.md", "docs/stability.md", "SECURITY.md", "PROTOCOL.md"];
const OPTIONAL = ["CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "bench/results/README.md"];

const MAX_SENTENCE = 240;

export function llmsText() {
  const readme = readFileSync("README.md", "utf8");
  const sections = [
    ...SECTIONS.map(([title, folder]) => ({ title, paths: documentsOf(folder) })),
    { title: "More", paths: MORE },
    { title: "Optional", paths: OPTIONAL },
  ];
  return `${[
    "# unichannel",
    `> ${firstParagraph(readme)}`,
    "Start with the README.md beside this file: it has a server, its clients, and the words that all other documents use.",
    ...sections
      .filter(({ paths }) => paths.length > 0)
      .map(({ title, paths }) => `## ${title}\n\n${paths.map(line).join("\n")}`),
  ].join("\n\n")}\n`;
}

/** The documents of a folder: first the one that its name puts first, then in the order of the alphabet. @param {string} folder */
function documentsOf(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".md"))
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    .map((name) => `${folder}/${name}`);
}

/** @param {string} name */
function rank(name) {
  return ["index.md", "getting-started.md"].includes(name) ? 0 : 1;
}

/** @param {string} path */
function line(path) {
  const text = readFileSync(path, "utf8");
  const title = /^# (.+)$/m.exec(text)?.[1] ?? path;
  const sentence = firstSentence(firstParagraph(text));
  return `- [${plain(title)}](${path})${sentence === "" ? "" : `: ${sentence}`}`;
}

/** The first paragraph of prose: no heading, code, picture, table or list. @param {string} markdown */
function firstParagraph(markdown) {
  const body = markdown.replace(/^---\n[\s\S]*?\n---\n/, "").replace(/^ *```[\s\S]*?^ *```.*$/gm, "");
  const paragraph = body.split(/\n\s*\n/).find((part) => /^[A-Z`*[("“]/.test(part.trim()) && !part.startsWith("!["));
  return plain((paragraph ?? "").trim().replace(/\s+/g, " "));
}

/** @param {string} paragraph */
function firstSentence(paragraph) {
  const sentence = /^.*?[.:?](?=\s+[A-Z`"(“]|$)/.exec(paragraph)?.[0] ?? paragraph;
  const closed = sentence.replace(/:$/, ".");
  return closed.length <= MAX_SENTENCE ? closed : `${closed.slice(0, closed.lastIndexOf(" ", MAX_SENTENCE))} …`;
}

/** Text without links, whose targets would be those of another folder, and without emphasis. @param {string} markdown */
function plain(markdown) {
  return markdown.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll("**", "");
}
