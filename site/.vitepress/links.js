// Links of the Markdown, as the site needs them: those to documents of the root lead to their pages, those to other files of the
// repository to where it is read, and names of exports in the hand-written reference to what is generated for them.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { repositoryOf } from "../../scripts/lib/repository.js";
import { DOCUMENTS } from "./config.js";

export const ROOT = resolve(import.meta.dirname, "../..");
/** Where the files of the repository are read. */
export const FILES = `${repositoryOf(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")))}/blob/main/`;

/** @param {import("vitepress").MarkdownRenderer} md */
export function links(md) {
  const names = exportedNames();
  md.core.ruler.push("links-of-the-repository", ({ tokens, env, Token }) => {
    const file = env.realPath ?? env.path;
    const isReference = /docs[\\/]reference[\\/][^\\/]+\.md$/.test(file);
    for (const block of tokens) {
      if (block.type !== "inline" || block.children === null) continue;
      for (const token of block.children) {
        const href = token.type === "link_open" ? token.attrGet("href") : null;
        if (href !== null) token.attrSet("href", hrefOf(href, file));
      }
      if (isReference) block.children = withNames(block.children, names, Token);
    }
  });
}

/** @param {string} href @param {string} file */
function hrefOf(href, file) {
  if (/^(?:[a-z]+:|#|\/)/.test(href)) return href;
  const [path = "", hash] = href.split("#");
  const target = relative(ROOT, resolve(dirname(file), path)).replaceAll("\\", "/");
  const anchor = hash === undefined ? "" : `#${hash}`;
  const document = DOCUMENTS.find((name) => target === `${name}.md`);
  if (document !== undefined) return `/project/${document.toLowerCase()}${anchor}`;
  if (target === "README.md") return "/";
  if (target.startsWith("site/api/")) return href;
  if (target.startsWith("docs/") && target.includes(".")) {
    // A document outside docs/ has another folder in the site.
    return !relative(ROOT, file).startsWith("docs") ? `/${target.slice("docs/".length)}${anchor}` : href;
  }
  if (!existsSync(join(ROOT, target))) throw new Error(`${relative(ROOT, file)}: no file ${href}`);
  return FILES + target + anchor;
}

/**
 * Turns code that is the name of an export into a link to its page.
 * @param {any[]} tokens
 * @param {Map<string, string>} names
 * @param {any} Token
 */
function withNames(tokens, names, Token) {
  let isInLink = false;
  return tokens.flatMap((token) => {
    if (token.type === "link_open") isInLink = true;
    if (token.type === "link_close") isInLink = false;
    const page = token.type === "code_inline" && !isInLink ? names.get(token.content) : undefined;
    if (page === undefined) return [token];
    const open = new Token("link_open", "a", 1);
    open.attrSet("href", page);
    return [open, token, new Token("link_close", "a", -1)];
  });
}

/** The page of each export; of a name that several entries export, that of the first entry of package.json. */
function exportedNames() {
  /** @type {Map<string, string>} */
  const names = new Map();
  const api = join(ROOT, "site/api");
  if (!existsSync(api)) return names;
  const pages = /** @type {string[]} */ (readdirSync(api, { recursive: true }));
  // Shorter paths first: those of the entry `unichannel`.
  for (const page of pages.sort((a, b) => a.split("/").length - b.split("/").length || a.localeCompare(b))) {
    const name = /([^\\/]+)\.md$/.exec(page)?.[1];
    if (name === undefined || name === "index" || names.has(name)) continue;
    names.set(name, `/reference/api/${page.replaceAll("\\", "/").replace(/\.md$/, "")}`);
  }
  return names;
}
