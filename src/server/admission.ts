// How many connections one address may have (`maxConnectionsPerAddress`), and what one too many is told.

import type { Socket } from "node:net";
import { networkOf } from "../codec/ip-address.ts";
import type { Trust } from "./trusted-proxies.ts";

const BUSY = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

/** Answers that there is no room, before anything was asked. */
export function sayBusy(socket: Socket): void {
  socket.on("error", () => {});
  socket.resume();
  socket.end(BUSY, () => socket.destroySoon());
}

/** The connections of a proxy are everybody's: a trusted one is not counted. */
export class AddressLimit {
  readonly #max: number;
  readonly #trusts: Trust | undefined;
  readonly #counts = new Map<string, number>();
  /** Where each counted connection comes from. */
  readonly #networks = new Map<object, string>();

  constructor(max: number, trusts: Trust | undefined) {
    this.#max = max;
    this.#trusts = trusts;
  }

  /** Counts a connection until it is told to `leave`; false if its address has as many as it may. */
  enter(connection: object, address: string | undefined): boolean {
    // A Unix socket, or a proxy that knows no address, says nothing of who it is.
    if (address === undefined || this.#trusts?.(address) === true) return true;
    const network = networkOf(address);
    const count = this.#counts.get(network) ?? 0;
    if (count >= this.#max) return false;
    this.#counts.set(network, count + 1);
    this.#networks.set(connection, network);
    return true;
  }

  /** The connection is closed. Does nothing for one that was not counted. */
  leave(connection: object): void {
    const network = this.#networks.get(connection);
    if (network === undefined) return;
    this.#networks.delete(connection);
    const count = this.#counts.get(network)! - 1;
    if (count === 0) this.#counts.delete(network);
    else this.#counts.set(network, count);
  }
}
