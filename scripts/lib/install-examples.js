// @ts-check
// The packages of examples/frameworks and examples/mcp.
import { installLocked } from "./install-locked.js";

/** @type {Readonly<Record<string, string>>} */
const SIZES = { frameworks: "420 MB, most of it Next", mcp: "40 MB" };

/** Installs them if they are missing; where that fails, their tests are skipped, or fail in CI. @param {"frameworks" | "mcp"} name */
export function installExamples(name) {
  const folder = `examples/${name}`;
  const announcement = `installing the packages of ${folder} (about ${SIZES[name]})`;
  if (!installLocked(folder, announcement, ["--ignore-scripts"])) console.log("that failed: they are not tested");
}
