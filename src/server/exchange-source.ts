// The seam between an `ExchangeServer` and the source of its exchanges: the connections of the engine, or an adapter for
// another server. It is independent of sockets.

import type { IndexedItem } from "../base/indexed-set.ts";

/** A connection that clients have to this server. It is in one IndexedSet, its source's, as long as it is open. */
export interface OpenConnection extends IndexedItem {
  /** The address of the peer, which may be a proxy. Undefined on a Unix socket. */
  readonly remoteAddress: string | undefined;
  readonly isEncrypted: boolean;
  /** Bytes that the connection carried so far, above TLS. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Called twice a second: ends the connection if it has waited for its client for too long. Returns true if it did. */
  tick(now: number): boolean;
  /** Called while the input of all clients is over its limit: a connection that holds its equal share or more is ended. */
  makeRoom(): void;
}

/** Makes exchanges and hands them to `ExchangeServer.onExchange`. The server calls the rest, in the order of its stop. */
export interface ExchangeSource {
  /** Where clients on this machine reach it; undefined if it does not listen itself. */
  readonly url: string | undefined;
  /** True if clients come through a Unix socket: they have no address. */
  readonly isUnix: boolean;
  /** True if it listens on a loopback address. @default false */
  readonly isLoopback?: boolean;
  /** The number of open connections. */
  readonly size: number;
  /** The open connections, as a copy. */
  snapshot(): readonly OpenConnection[];
  /** Called twice a second, before the connections are. */
  tick?(): void;
  /**
   * A connection that is answering says in its last response that it closes. Resolves when nothing new is accepted: the
   * connections that the system has accepted are taken before, for `maxMs` at most.
   */
  stopAccepting(maxMs: number): void | Promise<void>;
  /** Ends each connection of this source as soon as it has answered the requests that were read. */
  endConnections(): void;
  /** Drops the connections that are still open. Resolves when all are closed, and no new ones are accepted. */
  dropConnections(): Promise<void>;
}
