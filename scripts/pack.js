// @ts-check
// `npm run pack`: builds dist/unichannel.tgz, which is what a release publishes. The files are those of `files` in
// package.json. Documents get links that work outside of the repository, the manifest loses what only the repository uses, and
// the code loses its references to source maps, which are not packed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { packedDocument } from "./lib/packed-documents.js";
import { repositoryOf } from "./lib/repository.js";

/** The fields of package.json that mean nothing where the package is installed. */
const REPOSITORY_ONLY = ["scripts", "devDependencies", "workspaces", "overrides", "allowScripts"];

/**
 * Makes the tarball from what is built.
 * @param {string} into a folder
 * @returns {{ tarball: string, folder: string, files: string[], size: number, unpackedSize: number }}
 *   `folder`: the files of the tarball, unpacked
 */
export function pack(into) {
  const folder = join(into, "package");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const paths = listed(".").files;
  const folders = new Set(paths.flatMap(foldersOf));
  const packed = new Set([...paths, ...folders]);
  const manifest = JSON.parse(readFileSync("package.json", "utf8"));
  const context = {
    address: repositoryOf(manifest),
    tag: `v${manifest.version}`,
    isPacked: (/** @type {string} */ path) => packed.has(path),
    isFolder: (/** @type {string} */ path) => existsSync(path) && statSync(path).isDirectory(),
  };
  for (const path of paths) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), contents(path));
  }
  const { filename, files, size, unpackedSize } = listed(folder, "--pack-destination", resolve(into));
  const tarball = join(into, "unichannel.tgz");
  renameSync(join(into, filename), tarball);
  return { tarball, folder, files, size, unpackedSize };

  /** @param {string} path */
  function contents(path) {
    if (path === "package.json") {
      const kept = Object.entries(manifest).filter(([name]) => !REPOSITORY_ONLY.includes(name));
      return `${JSON.stringify(Object.fromEntries(kept), undefined, 2)}\n`;
    }
    if (path.endsWith(".md") || path === "llms.txt") return packedDocument(path, readFileSync(path, "utf8"), context);
    if (/^dist\/.*\.[jt]s$/.test(path)) return readFileSync(path, "utf8").replace(/^\/\/# sourceMappingURL=.*\n?/m, "");
    return readFileSync(path);
  }
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
  const { tarball, files, size, unpackedSize } = pack("dist");
  const kB = (/** @type {number} */ bytes) => `${Math.round(bytes / 1000)} kB`;
  console.log(`${tarball}: ${kB(size)}, ${kB(unpackedSize)} in ${files.length} files`);
}
