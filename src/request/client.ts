// The client that made a request, as the connection shows it, or as a trusted proxy in front of the server names it.

import type { Exchange } from "../transport/exchange.ts";

export interface Client {
  /** Undefined on a Unix socket, and where the proxy does not tell the address. */
  readonly address: string | undefined;
  readonly scheme: "http" | "https";
  /** An authority, or an empty string. */
  readonly host: string;
}

export interface ClientFinder {
  /** Returns the client: the peer of the connection, or the client that a trusted proxy names. */
  findClient(exchange: Exchange): Client;
}
