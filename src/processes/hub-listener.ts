// The socket of the hub, in the first process: a Unix socket in a folder that only this user may enter.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server as NetServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Hub } from "../backplane/processes/hub.ts";

export class HubListener {
  readonly path: string;
  readonly #hub = new Hub();
  readonly #netServer: NetServer = createServer((socket) => this.#hub.accept(socket));

  private constructor(path: string) {
    this.path = path;
  }

  /** Resolves when it listens. Rejects with Node's own error. `report` gets later errors, such as too many open files. */
  static async listen(report: (error: unknown) => void = () => {}): Promise<HubListener> {
    // `mkdtemp` makes a folder of mode 0700: no other user of the machine gets to the socket.
    const folder = await mkdtemp(join(tmpdir(), "unichannel-"));
    const listener = new HubListener(join(folder, "hub.sock"));
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
    await rm(dirname(this.path), { recursive: true, force: true });
  }
}
