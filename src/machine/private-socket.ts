// The path of a Unix socket for other processes of the same user on this machine.

import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkSocketPath } from "../base/socket-path.ts";

/** The folders that exist: the process listens once for its end, however many it has. */
const folders = new Set<string>();

export class PrivateSocket {
  readonly path: string;
  readonly #folder: string;

  private constructor(folder: string, name: string) {
    this.#folder = folder;
    this.path = join(folder, name);
  }

  /**
   * Makes a new folder for the socket among the temporary files. Rejects with BAD_OPTION if the path would be too long for a
   * socket, or with Node's own error.
   */
  static async make(name: string): Promise<PrivateSocket> {
    const prefix = join(tmpdir(), "unichannel-");
    checkSocketPath(join(`${prefix}XXXXXX`, name));
    // `mkdtemp` makes a folder of mode 0700: no other user of the machine gets to the socket.
    const folder = await mkdtemp(prefix);
    if (folders.size === 0) process.on("exit", removeAll);
    folders.add(folder);
    return new PrivateSocket(folder, name);
  }

  /** Removes the folder. */
  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
    folders.delete(this.#folder);
    if (folders.size === 0) process.off("exit", removeAll);
  }
}

/** For a process that ends without `remove`, by an exception. */
function removeAll(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}
