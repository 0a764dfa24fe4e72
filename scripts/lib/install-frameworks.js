// @ts-check
// The frameworks of examples/frameworks: they are installed there alone, because few who work on this project need them.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const FOLDER = "examples/frameworks";

/** Installs them once; where that fails, their tests are skipped, or fail in CI. */
export function installFrameworks() {
  if (existsSync(`${FOLDER}/node_modules/.package-lock.json`)) return;
  console.log(`installing the frameworks in ${FOLDER} (once, about 420 MB, most of it Next)`);
  const args = ["ci", "--ignore-scripts", "--no-progress", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", args, { cwd: FOLDER, stdio: "inherit" });
  if (status !== 0) console.log("that failed: the frameworks are not tested");
}
