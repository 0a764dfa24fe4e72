// The socket of the hub, in the first process: a Unix socket in a folder that only this user may enter.

import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server as NetServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Hub } from "../backplane/processes/hub.ts";
import { checkSocketPath } from "../base/socket-path.ts";

const SOCKET_NAME = "hub.sock";

export class HubListener {
  readonly path: string;
  readonly #hub = new Hub();
  readonly #netServer: NetServer = createServer((socket) => this.#hub.accept(socket));

  /** For a process that ends without `close`, by an exception. */
  readonly #removeNow = (): void => rmSync(dirname(this.path), { recursive: true, force: true });

  private constructor(path: string) {
    this.path = path;
  }

  /** Resolves when it listens. Rejects with Node's own error, or BAD_OPTION. `report` gets later errors, such as too many open files. */
  static async listen(report: (error: unknown) => void = () => {}): Promise<HubListener> {
    const prefix = join(tmpdir(), "unichannel-");
    checkSocketPath(join(`${prefix}XXXXXX`, SOCKET_NAME));
    // `mkdtemp` makes a folder of mode 0700: no other user of the machine gets to the socket.
    const folder = await mkdtemp(prefix);
    const listener = new HubListener(join(folder, SOCKET_NAME));
    process.once("exit", listener.#removeNow);
    const netServer = listener.#netServer;
    await new Promise<void>((resolve, reject) => {
      netServer.once("error", reject);
      netServer.listen(listener.path, resolve);
    });
    netServer.removeAllListeners("error");
    netServer.on("error", report);
    return listener;
  }

  workerEnded(worker: number): void {
    this.#hub.workerEnded(worker);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#netServer.close(() => resolve()));
    this.#hub.close();
    await closed;
    process.off("exit", this.#removeNow);
    await rm(dirname(this.path), { recursive: true, force: true });
  }
}
