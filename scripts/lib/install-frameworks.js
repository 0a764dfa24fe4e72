// @ts-check
// The frameworks of examples/frameworks.
import { installLocked } from "./install-locked.js";

const FOLDER = "examples/frameworks";

/** Installs them if they are missing; where that fails, their tests are skipped, or fail in CI. */
export function installFrameworks() {
  const announcement = `installing the frameworks in ${FOLDER} (about 420 MB, most of it Next)`;
  if (!installLocked(FOLDER, announcement, ["--ignore-scripts"]))
    console.log("that failed: the frameworks are not tested");
}
