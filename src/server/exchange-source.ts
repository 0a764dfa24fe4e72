// The seam between an `ExchangeServer` and whatever brings it exchanges: the engine's connections, or an adapter for the
// server of somebody else. Nothing here knows a socket.

import type { IndexedItem } from "../base/indexed-set.ts";

/** A connection that clients have to this server. It is in one IndexedSet, its source's, as long as it is open. */
export interface Connection extends IndexedItem {
  /** The address of the peer, which may be a proxy. Undefined on a Unix socket. */
  readonly remoteAddress: string | undefined;
  readonly isEncrypted: boolean;
  /** Bytes that the connection carried so far, above TLS. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Called twice a second: ends the connection if it has waited for its client for too long. Returns true if it did. */
  tick(now: number): boolean;
  /** Called while all clients together have sent too much: a connection that holds its equal part of it ends its input. */
  makeRoom(): void;
}

/** Makes exchanges and hands them to `ExchangeServer.onExchange`. The server calls the rest, in the order of its stop. */
export interface ExchangeSource {
  /** Where clients on this machine reach it; undefined if it does not listen itself. */
  readonly url: string | undefined;
  /** True if clients come through a Unix socket: they have no address. */
  readonly isUnix: boolean;
  /** The number of open connections. */
  readonly size: number;
  /** The open connections, as a copy. */
  snapshot(): readonly Connection[];
  /** Called twice a second, before the connections are. */
  tick?(): void;
  /** Accepts nothing new. A connection that is answering says in its last response that it closes. */
  stopAccepting(): void;
  /** Ends each connection that is ours as soon as it has answered what it has read. */
  endConnections(): void;
  /** Drops what is still open. Resolves when all of it is closed, and nothing accepts. */
  dropConnections(): Promise<void>;
}
