// Limits the connections of one address (`maxConnectionsPerAddress`), and answers connections for which there is no room.

import { networkOf } from "../codec/ip-address.ts";
import type { ProxyMatcher } from "./trusted-proxies.ts";

/** The answer to a connection for which there is no room, before its first request. */
export const BUSY =
  "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

/** Counts connections by address. Those of trusted proxies are not counted: many clients share them. */
export class AddressLimit {
  readonly #max: number;
  readonly #isProxy: ProxyMatcher | undefined;
  readonly #counts = new Map<string, number>();
  /** The network of each counted connection. */
  readonly #networks = new Map<object, string>();

  constructor(max: number, isProxy: ProxyMatcher | undefined) {
    this.#max = max;
    this.#isProxy = isProxy;
  }

  /** Counts a connection until `leave`; false, and not counted, if its address has as many as it may. */
  enter(connection: object, address: string | undefined): boolean {
    // On a Unix socket, and behind a proxy that knows no address, clients cannot be told apart.
    if (address === undefined || this.#isProxy?.(address) === true) return true;
    const network = networkOf(address);
    const count = this.#counts.get(network) ?? 0;
    if (count >= this.#max) return false;
    this.#counts.set(network, count + 1);
    this.#networks.set(connection, network);
    return true;
  }

  /** Stops counting a connection. Does nothing for one that is not counted. */
  leave(connection: object): void {
    const network = this.#networks.get(connection);
    if (network === undefined) return;
    this.#networks.delete(connection);
    const count = this.#counts.get(network)! - 1;
    if (count === 0) this.#counts.delete(network);
    else this.#counts.set(network, count);
  }
}
