// @ts-check
// Programs of npm that are no dependency of this project: other versions of Node and TypeScript. They are kept outside the
// repository, in the system's temporary folder, for the next run.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * The folder of `name` in the version `range`; installed when it is not there yet.
 * @param {string} name
 * @param {string} range
 */
export function fetchPackage(name, range) {
  const folder = join(tmpdir(), "unichannel-tools", `${name}-${range}`);
  const found = join(folder, "node_modules", name);
  if (existsSync(join(found, "package.json"))) return found;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const args = ["install", "--prefix", folder, "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"];
  const { status, stdout, stderr } = spawnSync("npm", [...args, `${name}@${range}`], { encoding: "utf8" });
  if (status !== 0) throw new Error(`npm could not install ${name}@${range}:\n${stdout}${stderr}`);
  return found;
}
