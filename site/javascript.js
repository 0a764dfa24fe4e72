// @ts-check
// The JavaScript of a TypeScript block of the documents: what the second tab of the site shows, and what the tests run.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Biome } from "@biomejs/js-api/nodejs";
import { blankSourceFile } from "ts-blank-space";

/** A class with decorators needs a compiler. */
const DECORATOR = /^\s*@[A-Z]\w*\(/m;
const TYPE = /^\s*(?:export )?(?:declare )?(?:interface|type) \w|^\s*import type\b/;
const COMMENT = /^\s*(?:\/\/|\/\*|\*)/;
/** The first line of a block that is a file: `// server.ts`. */
const FILE = /^(\/\/ [\w./-]+\.m?)ts(x?)(?=\n)/;
const RELATIVE = /(from |import |import\()("\.{1,2}\/[^"]+\.m?)ts(x?")/g;
const { formatter } = JSON.parse(readFileSync(new URL("../biome.json", import.meta.url), "utf8"));

/** The TypeScript that ts-blank-space knows: another version numbers the kinds of its nodes in another way. */
const { createSourceFile, ScriptKind, ScriptTarget } = createRequire(import.meta.resolve("ts-blank-space"))(
  "typescript",
);

/** @type {{ biome: Biome, projectKey: number } | undefined} */
let loaded;

/**
 * The same program without types; comments and blank lines stay. Returns `text` itself if it is JavaScript already, undefined if there
 * is no JavaScript without a compiler.
 * @param {string} text
 * @param {string} [language] `ts` or `tsx`
 * @returns {string | undefined}
 */
export function toJavaScript(text, language = "ts") {
  if (DECORATOR.test(text)) return undefined;
  let isErasable = true;
  const kind = language === "tsx" ? ScriptKind.TSX : ScriptKind.TS;
  const source = createSourceFile(`block.${language}`, text, ScriptTarget.ESNext, false, kind);
  const blanked = blankSourceFile(source, () => (isErasable = false));
  if (!isErasable) return undefined;
  const named = blanked.replace(FILE, "$1js$2").replace(RELATIVE, "$1$2js$3");
  return blanked === text ? named : formatted(withoutCommentsOfTypes(text, named));
}

/** The commands of a `sh` block for those who write JavaScript. @param {string} text */
export const commandsInJavaScript = (text) =>
  text.replace(/^((?:\w+=\S+ )*(?:node|npx esbuild) (?:\S+ )*?[\w./-]+\.m?)ts\b/gm, "$1js");

/**
 * Removes the comments above each type that is gone.
 * @param {string} text
 * @param {string} blanked line for line the same as `text`
 */
function withoutCommentsOfTypes(text, blanked) {
  const before = text.split("\n");
  const after = blanked.split("\n");
  for (const [at, line] of before.entries()) {
    if (!TYPE.test(line) || after[at]?.trim() !== "") continue;
    for (let above = at - 1; above >= 0 && COMMENT.test(before[above] ?? ""); above -= 1) {
      if (above > 0 || !FILE.test(text)) after[above] = "";
    }
  }
  return after.join("\n");
}

/** As the project's formatter writes it, but not wider than the block was. @param {string} text */
function formatted(text) {
  if (loaded === undefined) {
    const biome = new Biome();
    loaded = { biome, projectKey: biome.openProject().projectKey };
  }
  const { biome, projectKey } = loaded;
  const widest = Math.max(80, ...text.split("\n").map((line) => line.trimEnd().length));
  biome.applyConfiguration(projectKey, {
    formatter: { ...formatter, lineWidth: Math.min(formatter.lineWidth, widest) },
  });
  const { content, diagnostics } = biome.formatContent(projectKey, text, { filePath: "block.jsx" });
  if (diagnostics.length > 0) throw new Error(`${diagnostics[0]?.description} in\n${text}`);
  return content;
}
