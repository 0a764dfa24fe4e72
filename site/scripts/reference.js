// @ts-check
// Writes the reference of every export of every entry of package.json to site/api, from the doc comments in the declarations that
// `tsc --build` has written: what users' editors show, and nothing else. The pages are Markdown, and are not committed.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Application } from "typedoc";

const ROOT = join(import.meta.dirname, "../..");

/** @type {Record<string, string | { types: string }>} */
const ENTRIES = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).exports;

/** Writes the pages. Takes some ten seconds. */
export async function writeReference() {
  const out = join(ROOT, "site/api");
  rmSync(out, { recursive: true, force: true });
  /** @type {string[]} */
  const entryPoints = [];
  /** @type {Map<string, string>} the name of each entry, by the source that declares it: declaration maps lead there */
  const names = new Map();
  for (const [entry, target] of Object.entries(ENTRIES)) {
    if (typeof target === "string") continue;
    entryPoints.push(join(ROOT, target.types));
    names.set(join(ROOT, target.types.replace("./dist/", "").replace(".d.ts", ".ts")), `unichannel${entry.slice(1)}`);
  }
  /** @type {Record<string, unknown>} */
  const options = {
    entryPoints,
    outputs: [{ name: "markdown", path: out }],
    tsconfig: join(ROOT, "site/tsconfig.reference.json"),
    plugin: ["typedoc-plugin-markdown"],
    name: "Reference of every export",
    logLevel: "Warn",
    readme: "none",
    // `tsc --build` has checked the types, with the compiler of this repository.
    skipErrorChecking: true,
    excludeInternal: true,
    excludePrivate: true,
    disableSources: true,
    entryFileName: "index",
    hidePageHeader: true,
    hideBreadcrumbs: true,
    expandObjects: true,
    parametersFormat: "table",
    // Types of the library that nobody has to write are named, and have no page: test/doc-comments.test.ts has their list.
    validation: { notExported: false, invalidLink: true, notDocumented: false },
  };
  const app = await Application.bootstrapWithPlugins(options);
  const project = await app.convert();
  if (project === undefined) throw new Error("no reference: TypeDoc could not read the declarations");
  for (const module of project.children ?? []) {
    const file = project.getSymbolIdFromReflection(module)?.fileName;
    const name = names.get(file ?? "");
    if (name === undefined) throw new Error(`no entry of package.json is declared in ${file} (${module.name})`);
    module.name = name;
  }
  await app.generateOutputs(project);
  if (app.logger.hasErrors()) throw new Error("TypeDoc reports errors");
  for (const name of /** @type {string[]} */ (readdirSync(out, { recursive: true }))) {
    if (name.endsWith(".md")) writeFileSync(join(out, name), tidied(readFileSync(join(out, name), "utf8")));
  }
}

/** Defaults are prose with a value at its beginning, and no code: a line each. @param {string} page */
function tidied(page) {
  return page.replace(/^#+ Default(?: Value)?\n\n(?:```ts\n([\s\S]*?)\n```|(.+))$/gm, (_, code, text) => {
    return `Default: ${code === undefined ? text : code.replaceAll("<", "&lt;").replaceAll("*", "\\*")}`;
  });
}
