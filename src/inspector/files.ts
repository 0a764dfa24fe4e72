// The files of the page, read when the first of them is asked for: its own, and the modules of `unichannel/client`, which browsers
// load without a bundler. Their paths are those of the package, so that the imports between them hold.

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

/** The folders of compiled modules: the page, the client, and those from which it imports. */
const MODULES = ["inspector/page", "client", "base", "codec", "protocol"];

const PAGE = "inspector/page/index.html";
const MAIN = "inspector/page/main.js";

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
  const add = (folder: URL, prefix: string, extension: RegExp): void => {
    for (const name of readdirSync(folder)) {
      const type = TYPES.get(name.slice(name.lastIndexOf(".") + 1));
      if (type !== undefined && extension.test(name))
        found.set(prefix + name, { type, body: readFileSync(new URL(name, folder), "utf8") });
    }
  };
  for (const folder of MODULES) add(new URL(`../${folder}/`, import.meta.url), `${folder}/`, /\.js$/);
  // The compiler does not copy these: they are with the sources, which the package has, too.
  const sources = new URL("src/inspector/page/", import.meta.resolve("unichannel/package.json"));
  add(sources, "inspector/page/", /\.(?:html|css|svg)$/);
  const page = found.get(PAGE)!;
  found.set(PAGE, { ...page, body: page.body.replace("</head>", `${preloads(found)}</head>`) });
  return found;
}

/** Elements that let the browser load all modules at once: otherwise it finds some only in others, six steps deep. */
function preloads(found: ReadonlyMap<string, PageFile>): string {
  const paths = new Set([MAIN]);
  for (const path of paths) {
    for (const [, name] of found.get(path)!.body.matchAll(/^(?:import|export)\b[^"';]*?\bfrom "(\.[^"]+)"/gm))
      paths.add(new URL(name!, new URL(path, "file:///")).pathname.slice(1));
  }
  return [...paths].map((path) => `<link rel="modulepreload" href="${path}">\n`).join("");
}
