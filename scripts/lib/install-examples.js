// @ts-check
// The packages of examples/frameworks and examples/mcp: they are installed there alone, because few who work on this project need them.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** @type {Readonly<Record<string, string>>} */
const SIZES = { frameworks: "420 MB, most of it Next", mcp: "40 MB" };

/** Installs them once; where that fails, their tests are skipped, or fail in CI. @param {"frameworks" | "mcp"} name */
export function installExamples(name) {
  const folder = `examples/${name}`;
  if (existsSync(`${folder}/node_modules/.package-lock.json`)) return;
  console.log(`installing the packages of ${folder} (once, about ${SIZES[name]})`);
  const args = ["ci", "--ignore-scripts", "--no-progress", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", args, { cwd: folder, stdio: "inherit" });
  if (status !== 0) console.log("that failed: they are not tested");
}
