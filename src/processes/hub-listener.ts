// The socket of the hub, in the first process: a Unix socket that only this user can reach.

import { createServer, type Server as NetServer } from "node:net";
import { Hub } from "../backplane/processes/hub.ts";
import { PrivateSocket } from "../machine/private-socket.ts";

const SOCKET_NAME = "hub.sock";

export class HubListener {
  readonly #socket: PrivateSocket;
  readonly #hub = new Hub();
  readonly #netServer: NetServer = createServer((socket) => this.#hub.accept(socket));

  private constructor(socket: PrivateSocket) {
    this.#socket = socket;
  }

  get path(): string {
    return this.#socket.path;
  }

  /** Resolves when it listens. Rejects with Node's own error, or BAD_OPTION. `report` gets later errors, such as too many open files. */
  static async listen(report: (error: unknown) => void = () => {}): Promise<HubListener> {
    const listener = new HubListener(await PrivateSocket.make(SOCKET_NAME));
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
    await this.#socket.remove();
  }
}
