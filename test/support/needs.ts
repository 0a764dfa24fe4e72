// Tests of what other programs see (a browser, a proxy, a broker) need those programs. Where one is missing its tests are
// skipped with a reason; where all must be there, as in .ci/run, a skip is a failure.

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * For the `skip` option of a test: false when `command` is on the PATH, else the reason to skip.
 * Throws instead of giving a reason when UNICHANNEL_REQUIRE_ALL is set.
 */
export function needs(command: string): string | false {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  if (folders.some((folder) => isProgram(join(folder, command)))) return false;
  const reason = `${command} is not installed`;
  if (process.env["UNICHANNEL_REQUIRE_ALL"]) throw new Error(`${reason}, and UNICHANNEL_REQUIRE_ALL is set`);
  return reason;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
