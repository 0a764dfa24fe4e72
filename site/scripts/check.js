// @ts-check
// Builds the site, then follows every link of every page: the page must exist, and the anchor on it. VitePress itself refuses links to
// Markdown files that do not exist.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const SITE = join(import.meta.dirname, "..");
const DIST = join(SITE, ".vitepress/dist");

/**
 * A line for each link that leads nowhere.
 * @param {Map<string, string>} pages the HTML of each page, by its path: `/reference/server`
 * @param {(path: string) => boolean} isFile
 */
export function faultsOf(pages, isFile) {
  const anchors = new Map([...pages].map(([path, html]) => [path, idsOf(html)]));
  return [...pages].flatMap(([path, html]) =>
    [
      ...new Set(
        [...html.matchAll(/<a\b[^>]*? href="([^"]+)"/g)].map(([, href = ""]) => href.replaceAll("&amp;", "&")),
      ),
    ].flatMap((href) => {
      if (/^[a-z]+:/.test(href)) return [];
      const { pathname, hash } = new URL(href, `http://site${path}`);
      const target = decodeURIComponent(pathname);
      const ids = anchors.get(target);
      if (ids === undefined) return isFile(target) ? [] : [`${path}: no page ${href}`];
      if (hash === "" || ids.has(decodeURIComponent(hash.slice(1)))) return [];
      return [`${path}: no anchor ${href}`];
    }),
  );
}

/**
 * A line for each type of the hand-written list (test/doc-comments.test.ts keeps it complete) that the generated page of its entry does
 * not name.
 * @param {Map<string, string>} pages
 * @param {string} list docs/reference/types.md
 */
export function missingExports(pages, list) {
  return list
    .split("\n## `")
    .slice(1)
    .flatMap((section) => {
      const entry = section.slice(0, section.indexOf("`"));
      const html = pages.get(`/reference/api/${entry}/`) ?? "";
      return [...section.matchAll(/^\| `(\w+)` \|/gm)].flatMap(([, name]) =>
        html.includes(`>${name}<`) ? [] : [`${entry}: nothing generated for ${name}`],
      );
    });
}

/** @param {string} html */
function idsOf(html) {
  return new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
}

/** The pages that were built. */
function builtPages() {
  /** @type {Map<string, string>} */
  const pages = new Map();
  for (const name of /** @type {string[]} */ (readdirSync(DIST, { recursive: true }))) {
    if (!name.endsWith(".html") || name === "404.html") continue;
    const path = `/${name.replaceAll("\\", "/").replace(/(?:index)?\.html$/, "")}`;
    pages.set(path, readFileSync(join(DIST, name), "utf8"));
  }
  return pages;
}

if (process.argv[1] === import.meta.filename) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(SITE, "scripts/site.js"), "build"], {
    encoding: "utf8",
  });
  const pages = status === 0 ? builtPages() : new Map();
  const types = readFileSync(join(SITE, "../docs/reference/types.md"), "utf8");
  const isFile = (/** @type {string} */ path) => path !== "/" && existsSync(join(DIST, path));
  const faults = status === 0 ? [...faultsOf(pages, isFile), ...missingExports(pages, types)] : [stdout + stderr];
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exitCode = 1;
  else console.log(`${pages.size} pages`);
}
