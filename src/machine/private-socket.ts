// The path of a Unix socket for other processes of the same user on this machine.

import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkSocketPath } from "../base/socket-path.ts";

export class PrivateSocket {
  readonly path: string;
  readonly #folder: string;

  /** For a process that ends without `remove`, by an exception. */
  readonly #removeNow = (): void => rmSync(this.#folder, { recursive: true, force: true });

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
    const socket = new PrivateSocket(await mkdtemp(prefix), name);
    process.once("exit", socket.#removeNow);
    return socket;
  }

  /** Removes the folder. */
  async remove(): Promise<void> {
    process.off("exit", this.#removeNow);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
