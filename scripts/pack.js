// @ts-check
// `npm run pack`: builds dist/unichannel.tgz, which is what a release publishes. The files are those of `files` in
// package.json, but the code is in far fewer (scripts/lib/bundle.js). Documents get links that work outside of the repository, and the
// manifest loses what only the repository uses.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { bundle } from "./lib/bundle.js";
import { packedDocument } from "./lib/packed-documents.js";
import { repositoryOf } from "./lib/repository.js";

/** A compiled module. */
const MODULE = /^dist\/.*\.js$/;

/** The reference to a source map, which is not packed. */
const MAP = /^\/\/# sourceMappingURL=.*\n?/gm;

/** The fields of package.json that mean nothing where the package is installed. */
const REPOSITORY_ONLY = ["scripts", "devDependencies", "workspaces", "overrides", "allowScripts"];

/**
 * Makes the tarball from what is built.
 * @param {string} into a folder
 * @returns {Promise<{ tarball: string, folder: string, files: string[], size: number, unpackedSize: number }>}
 *   `folder`: the files of the tarball, unpacked
 */
export async function pack(into) {
  const folder = join(into, "package");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const manifest = JSON.parse(readFileSync("package.json", "utf8"));
  const code = await bundle(entriesOf(manifest));
  const paths = listed(".").files.filter((/** @type {string} */ path) => !MODULE.test(path));
  const folders = new Set(paths.flatMap(foldersOf));
  const packed = new Set([...paths, ...folders]);
  const context = {
    address: repositoryOf(manifest),
    tag: `v${manifest.version}`,
    isPacked: (/** @type {string} */ path) => packed.has(path),
    isFolder: (/** @type {string} */ path) => existsSync(path) && statSync(path).isDirectory(),
  };
  for (const path of paths) write(path, contents(path));
  for (const file of code) write(file.path, file.code.replaceAll(MAP, ""));
  const { filename, files, size, unpackedSize } = listed(folder, "--pack-destination", resolve(into));
  const tarball = join(into, "unichannel.tgz");
  renameSync(join(into, filename), tarball);
  return { tarball, folder, files, size, unpackedSize };

  /** @param {string} path @param {string | Buffer} data */
  function write(path, data) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), data);
  }

  /** @param {string} path */
  function contents(path) {
    if (path === "package.json") {
      const kept = Object.entries(manifest).filter(([name]) => !REPOSITORY_ONLY.includes(name));
      const sideEffects = manifest.sideEffects.map(fileOf);
      return `${JSON.stringify({ ...Object.fromEntries(kept), sideEffects }, undefined, 2)}\n`;
    }
    if (path.endsWith(".md") || path === "llms.txt") return packedDocument(path, readFileSync(path, "utf8"), context);
    return path.endsWith(".ts") ? readFileSync(path, "utf8").replaceAll(MAP, "") : readFileSync(path);
  }

  /** The file in which a module is packed. @param {string} module */
  function fileOf(module) {
    const own = module.slice(2);
    const file = code.find(({ path }) => path === own) ?? code.find(({ modules }) => modules.includes(own));
    if (file === undefined) throw new Error(`sideEffects of package.json names ${module}, which no entry imports`);
    return `./${file.path}`;
  }
}

/** The compiled modules of the entries. @param {{ exports: Record<string, string | { default: string }> }} manifest */
function entriesOf({ exports }) {
  return Object.values(exports).flatMap((entry) => (typeof entry === "string" ? [] : [entry.default.slice(2)]));
}

/**
 * The files that npm packs in a folder, by their paths. With a destination it makes the tarball.
 * @param {string} folder
 * @param {string[]} args
 */
function listed(folder, ...args) {
  const dry = args.length === 0 ? ["--dry-run"] : [];
  const { status, stdout, stderr } = spawnSync("npm", ["pack", "--json", "--ignore-scripts", ...dry, ...args], {
    cwd: folder,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`npm pack: ${stderr}`);
  // npm lists one package, as an array or, since npm 12, by its name.
  const [answer] = Object.values(JSON.parse(stdout));
  return { ...answer, files: answer.files.map((/** @type {{ path: string }} */ { path }) => path) };
}

/** `"a/b/c"` → `["a", "a/b"]`. @param {string} path */
function foldersOf(path) {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { tarball, files, size, unpackedSize } = await pack("dist");
  const kB = (/** @type {number} */ bytes) => `${Math.round(bytes / 1000)} kB`;
  console.log(`${tarball}: ${kB(size)}, ${kB(unpackedSize)} in ${files.length} files`);
}
