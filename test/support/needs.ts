// Tests of what other programs see (a browser, a proxy, a broker) need those programs. Where one is missing its tests are
// skipped with a reason; where all must be there, as in .ci/run, a skip is a failure.

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * For the `skip` option of a test: false when `command` is in one of the folders (those of the PATH by default), else the
 * reason to skip. Throws instead of giving a reason when UNICHANNEL_REQUIRE_ALL is set.
 */
export function needs(command: string, folders?: readonly string[]): string | false {
  if (pathOf(command, folders) !== undefined) return false;
  const reason = `${command} is not installed`;
  if (process.env["UNICHANNEL_REQUIRE_ALL"]) throw new Error(`${reason}, and UNICHANNEL_REQUIRE_ALL is set`);
  return reason;
}

/** The path of the program `command` in the first of the folders (those of the PATH by default) that has it. */
export function pathOf(command: string, folders: readonly string[] = foldersOfPath()): string | undefined {
  return folders.map((folder) => join(folder, command)).find(isProgram);
}

function foldersOfPath(): string[] {
  return (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
