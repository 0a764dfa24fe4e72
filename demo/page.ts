// The files of the page, read once at the start: its own, and the modules of `unichannel/client`, which browsers load
// without a bundler.

import { readdirSync, readFileSync } from "node:fs";
import type { HandlerResult } from "../src/index.ts";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** The folders of the client's modules: `client`, and those from which it imports. */
const CLIENT_FOLDERS = ["base", "client", "codec", "protocol"];

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
const LIBRARY = new URL("../", import.meta.resolve("unichannel/client"));

const answers = new Map<string, HandlerResult>();
addFolder(FOLDER, "/");
for (const name of CLIENT_FOLDERS) addFolder(new URL(`${name}/`, LIBRARY), `/unichannel/${name}/`);
answers.set("/", answers.get("/index.html"));

/** The file at a path; undefined, and so a 404, for any other path. */
export function page(path: string): HandlerResult {
  return answers.get(path);
}

function addFolder(folder: URL, path: string): void {
  for (const name of readdirSync(folder)) {
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
    if (type === undefined) continue;
    const headers = { ...HEADERS, "Content-Type": type };
    answers.set(path + name, { headers, body: readFileSync(new URL(name, folder)) });
  }
}
