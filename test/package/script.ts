// Scripts are not compiled with the tests, so they are imported from the repository's root.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** The exports of a script, by its path below scripts/. */
export async function script<Exports>(path: string): Promise<Exports> {
  return await import(pathToFileURL(resolve("scripts", path)).href);
}
