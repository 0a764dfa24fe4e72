// Blocks of code of the documents: TypeScript has a tab with its JavaScript, an excerpt a link to its file. The Markdown has none of it.
import { relative } from "node:path";
import { commandsInJavaScript, toJavaScript } from "../javascript.js";
import { FILES, ROOT } from "./links.js";

/** Where the choice of a reader is kept. */
const KEY = "unichannel-code";

/** For the head of each page: the attribute is there before the first block is drawn, so nothing flashes. */
export const CHOICE_SCRIPT = `try { document.documentElement.dataset.code = localStorage.getItem("${KEY}") === "js" ? "js" : "ts"; } catch { document.documentElement.dataset.code = "ts"; }`;

/** @param {import("vitepress").MarkdownRenderer} md */
export function codeBlocks(md) {
  const fence = md.renderer.rules.fence;
  md.renderer.rules.fence = (tokens, at, options, env, self) => {
    const token = tokens[at];
    const page = relative(ROOT, env.realPath ?? env.path ?? "").replaceAll("\\", "/");
    const [language = "", excerpt] = token.info.trim().split(" excerpt=");
    const draw = (info, content) =>
      fence([Object.assign(Object.create(token), { info, content })], 0, options, env, self);
    // Generated pages have signatures, which are no programs.
    const other = page.startsWith("docs/") && !env.isForSearch ? inJavaScript(language, token.content) : undefined;
    const first = draw(language, token.content);
    if (other === undefined) return excerpt === undefined ? first : withLink(first, excerpt);
    const both = `<div class="code-in-ts">${first}</div><div class="code-in-js">${draw(language.replace("ts", "js"), other)}</div>`;
    // Commands follow the choice without a tab of their own.
    if (language === "sh") return both;
    const tab = (/** @type {string} */ code, /** @type {string} */ name) =>
      `<button type="button" data-code="${code}">${name}</button>`;
    const tabs = `<div class="tabs">${tab("ts", "TypeScript")}${tab("js", "JavaScript")}</div>`;
    const group = `<div class="vp-code-group code-tabs">${tabs}<div class="blocks">${both}</div></div>\n`;
    return excerpt === undefined ? group : withLink(group, excerpt);
  };
}

/** The block for those who write JavaScript; undefined if it is the same, or if there is none. */
function inJavaScript(language, content) {
  const other =
    language === "sh"
      ? commandsInJavaScript(content)
      : /^tsx?$/.test(language)
        ? toJavaScript(content, language)
        : undefined;
  return other === content ? undefined : other;
}

const withLink = (html, file) =>
  `<div class="code-excerpt">${html}<p>From <a href="${FILES}${file}" target="_blank" rel="noreferrer">${file}</a></p></div>\n`;
