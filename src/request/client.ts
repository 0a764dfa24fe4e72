// The client that made a request, by the connection, or by the fields of a trusted proxy in front of it.

import type { Exchange } from "../transport/exchange.ts";

export interface Client {
  /** Undefined where there is none (a Unix socket), or a proxy keeps it to itself. */
  readonly address: string | undefined;
  readonly scheme: "http" | "https";
  /** An authority, or an empty string. */
  readonly host: string;
}

export interface ClientFinder {
  /** Returns the client: the peer of the connection, or the client that a trusted proxy names. */
  findClient(exchange: Exchange): Client;
}
