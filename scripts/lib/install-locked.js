// @ts-check
// Packages that a folder has by itself, apart from those of the project: few who work on it need them.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Installs the packages of a folder's lock file, if they are not there in these versions. False if that failed.
 * @param {string} folder
 * @param {string} announcement is printed before
 * @param {readonly string[]} [args] further ones of `npm ci`
 */
export function installLocked(folder, announcement, args = []) {
  if (isInstalled(folder)) return true;
  console.log(announcement);
  const all = ["ci", "--no-progress", "--no-audit", "--no-fund", "--loglevel=error", ...args];
  return spawnSync("npm", all, { cwd: folder, stdio: "inherit" }).status === 0;
}

/** npm notes in `node_modules/.package-lock.json` what it has installed. @param {string} folder */
function isInstalled(folder) {
  const noted = join(folder, "node_modules/.package-lock.json");
  if (!existsSync(noted)) return false;
  const installed = packagesOf(noted);
  return Object.entries(packagesOf(join(folder, "package-lock.json"))).every(([path, { version, optional, peer }]) => {
    const found = installed[path];
    // Optional packages are those of other systems, too.
    return path === "" || (found === undefined ? optional === true || peer === true : found.version === version);
  });
}

/** @typedef {{ version?: string, optional?: boolean, peer?: boolean }} Locked */

/** @param {string} file @returns {Readonly<Record<string, Locked>>} */
function packagesOf(file) {
  return JSON.parse(readFileSync(file, "utf8")).packages ?? {};
}
