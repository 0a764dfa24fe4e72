// The length of the path of a Unix socket.

import { badOption } from "./bad-option.ts";
import { utf8Length } from "./bytes.ts";

/** Bytes that a path may have on macOS; Linux has room for 107. */
const MAX_PATH_BYTES = 103;

/**
 * Checks the path of a socket in the folder for temporary files. Throws BAD_OPTION for one that is too long: Node 20 would cut it off,
 * and the socket would not be in the folder that protects it.
 */
export function checkSocketPath(path: string): void {
  const length = utf8Length(path);
  if (length <= MAX_PATH_BYTES) return;
  throw badOption(
    `a Unix socket at ${path} would have a path of ${length} bytes; it may have at most ${MAX_PATH_BYTES}: set the environment variable ` +
      "TMPDIR to a folder with a shorter path",
  );
}
