// The files of the page, read when the first of them is asked for: its own, and the modules that its program imports, which browsers
// load without a bundler. Their paths are those of the repository, so that the imports between them hold. The published package has
// one module in place of them.

import { readdirSync, readFileSync } from "node:fs";

interface PageFile {
  readonly type: string;
  readonly body: string;
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ["html", "text/html; charset=utf-8"],
  ["css", "text/css; charset=utf-8"],
  ["js", "text/javascript; charset=utf-8"],
  ["svg", "image/svg+xml"],
]);

/** Nothing but the page's own files and its own session: no text of a client can become script, style or a request. */
const HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-cache",
};

const FOLDER = "inspector/page/";
const PAGE = `${FOLDER}index.html`;
const MAIN = `${FOLDER}main.js`;

/** The modules that a module imports, by their paths beside it. */
const IMPORTS = /^(?:import|export)\b[^"';]*?\bfrom "(\.[^"]+)"/gm;

let files: ReadonlyMap<string, PageFile> | undefined;

/** The answer with the page itself. */
export function pageItself(): Response {
  return pageFile(PAGE)!;
}

/** The answer with the file at a path below the inspector's; undefined if there is none. */
export function pageFile(path: string): Response | undefined {
  files ??= readFiles();
  const file = files.get(path);
  return file && new Response(file.body, { headers: { ...HEADERS, "Content-Type": file.type } });
}

function readFiles(): ReadonlyMap<string, PageFile> {
  const found = new Map<string, PageFile>();
  const root = import.meta.resolve("unichannel/package.json");
  const add = (folder: URL, path: string): string => {
    const body = readFileSync(new URL(path, folder), "utf8");
    const type = TYPES.get(path.slice(path.lastIndexOf(".") + 1));
    if (type !== undefined) found.set(path, { type, body });
    return body;
  };
  // The compiler does not copy these: they are with the sources, which the package has, too.
  const sources = new URL("src/", root);
  for (const name of readdirSync(new URL(FOLDER, sources))) if (!name.endsWith(".ts")) add(sources, FOLDER + name);
  const modules = new Set([MAIN]);
  for (const path of modules) {
    for (const [, name] of add(new URL("dist/src/", root), path).matchAll(IMPORTS))
      modules.add(new URL(name!, new URL(path, "file:///")).pathname.slice(1));
  }
  const page = found.get(PAGE)!;
  found.set(PAGE, { ...page, body: page.body.replace("</head>", `${preloads(modules)}</head>`) });
  return found;
}

/** Elements that let the browser load all modules at once: otherwise it finds some only in others, six steps deep. */
function preloads(paths: Iterable<string>): string {
  return Array.from(paths, (path) => `<link rel="modulepreload" href="${path}">\n`).join("");
}
