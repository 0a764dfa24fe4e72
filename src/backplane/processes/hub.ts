// The hub: the broker and the session records that all processes of a machine share, in the first of them. It carries and keeps,
// and decides nothing.

import { type Clock, systemClock } from "../../base/clock.ts";
import { HubConnection } from "./hub-connection.ts";
import type { HubSocket } from "./hub-socket.ts";
import { HubState } from "./hub-state.ts";

export class Hub {
  readonly #state: HubState;
  readonly #connections = new Set<HubConnection>();

  constructor(clock: Clock = systemClock, epoch: number = Date.now()) {
    this.#state = new HubState(clock, epoch);
  }

  /** Takes a connection of a process, until it ends. */
  accept(socket: HubSocket): void {
    const connection: HubConnection = new HubConnection(socket, this.#state, () =>
      this.#connections.delete(connection),
    );
    this.#connections.add(connection);
  }

  /** A worker has ended, or was killed. Its connections end by themselves; its sessions are over. */
  workerEnded(worker: number): void {
    this.#state.workerEnded(worker);
  }

  /** Ends all connections. */
  close(): void {
    for (const connection of this.#connections) connection.destroy();
  }
}
