// The seams around an exchange of node:http: its host, its messages, and the upgrade that it may switch to a WebSocket.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { ExchangeServer } from "../../server/exchange-server.ts";
import type { OpenConnection } from "../../server/exchange-source.ts";
import type { WebSocketOptions } from "../../transport/exchange.ts";
import type { Transport } from "../../transport/transport.ts";

/** An upgrade that waits for its answer. */
export interface PendingUpgrade {
  /** Switches the protocol: gives the socket up, with the bytes that came after the request. */
  accept(): { readonly socket: Socket; readonly rest: Uint8Array | undefined };
}

/** The host of an exchange. */
export interface NodeExchangeOwner {
  readonly server: ExchangeServer;
  /** True if a client that ends its side may wait for its answer. */
  readonly allowsHalfOpen: boolean;
  /** The exchange is not answered in the turn of its request: it is ticked until `closed`. */
  opened(exchange: OpenExchange): void;
  closed(exchange: OpenExchange): void;
  acceptWebSocket(
    upgrade: PendingUpgrade,
    request: IncomingMessage,
    fields: readonly string[],
    options: WebSocketOptions,
  ): Transport;
}

/** An exchange that its host ticks. */
export interface OpenExchange extends OpenConnection {
  /** Drops the open connection. */
  drop(): void;
}

export interface NodeMessages {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The body, if a parser of the application has read it. */
  readonly body: Uint8Array | undefined;
  /** Undefined for a request that the host takes for an ordinary one. */
  readonly upgrade: PendingUpgrade | undefined;
}
