// The files of the page, read once at the start.

import { readFileSync } from "node:fs";
import type { HandlerResult } from "../src/index.ts";

const FILES: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  "/": { file: "index.html", type: "text/html; charset=utf-8" },
  "/style.css": { file: "style.css", type: "text/css; charset=utf-8" },
  "/ticks.js": { file: "ticks.js", type: "text/javascript; charset=utf-8" },
  "/chat.js": { file: "chat.js", type: "text/javascript; charset=utf-8" },
  "/icon.svg": { file: "icon.svg", type: "image/svg+xml" },
};

const HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-cache",
};

/** The sources stand beside this file, and the compiled server in dist/demo: the package's root is found by its name. */
const FOLDER = new URL("demo/page/", import.meta.resolve("unichannel/package.json"));

const answers = new Map(
  Object.entries(FILES).map(([path, { file, type }]) => [
    path,
    { headers: { ...HEADERS, "Content-Type": type }, body: readFileSync(new URL(file, FOLDER)) },
  ]),
);

/** The file of a path; nothing, and so a 404, for any other. */
export function page(path: string): HandlerResult {
  return answers.get(path);
}
