// The source of exchanges inside a host that reads the requests by itself. It serves them, and keeps open exchanges and WebSockets.

import { guard } from "../../base/guard.ts";
import { IndexedSet } from "../../base/indexed-set.ts";
import type { Handler } from "../../request/handle.ts";
import type { ExchangeServer } from "../../server/exchange-server.ts";
import type { ExchangeSource, OpenConnection } from "../../server/exchange-source.ts";
import type { WebSocketOptions } from "../../transport/exchange.ts";
import { TEXT_PLAIN } from "../../transport/http/format.ts";
import { type HostRefusal, STOPPED } from "../refusal.ts";
import { HostConnection } from "./connection.ts";
import type { HostWebSocketContext } from "./context.ts";
import type { HostExchange, HostExchangeOwner } from "./exchange.ts";
import { HostWebSocket } from "./transport.ts";

const BAD_HOST: HostRefusal = { status: 400, fields: TEXT_PLAIN, body: "malformed HTTP request: Host\n" };

export class HostSource implements ExchangeSource, HostExchangeOwner {
  readonly server: ExchangeServer;
  readonly url = undefined;
  readonly isUnix = false;
  readonly #open = new IndexedSet<HostExchange | HostConnection>();
  readonly #webSocketContext: HostWebSocketContext;
  #isAccepting = true;

  constructor(server: ExchangeServer, maxUnreadBytes: number) {
    this.server = server;
    const { clock, flusher, buffered, received, limits } = server;
    this.#webSocketContext = { clock, flusher, buffered, received, limits, maxUnreadBytes };
  }

  get size(): number {
    return this.#open.size;
  }

  snapshot(): readonly OpenConnection[] {
    return this.#open.snapshot();
  }

  serve(exchange: HostExchange, handler: Handler): void {
    const refusal = exchange.hasHost ? (this.#isAccepting ? undefined : STOPPED) : BAD_HOST;
    if (refusal === undefined) this.server.serve(exchange, handler);
    else if (!this.server.take(exchange).isRefused) exchange.respond(refusal, refusal.body);
    exchange.followClient();
  }

  toWebSocket({ remoteAddress, isEncrypted }: HostExchange, options: WebSocketOptions): HostWebSocket {
    const connection = new HostConnection(remoteAddress, isEncrypted);
    const transport = new HostWebSocket(this.#webSocketContext, options, () => {
      if (connection.index === undefined) return;
      this.#open.delete(connection);
      this.server.connectionClosed(connection);
    });
    connection.transport = transport;
    this.#open.add(connection);
    this.server.connectionOpened(connection);
    return transport;
  }

  opened(exchange: HostExchange): void {
    this.#open.add(exchange);
  }

  closed(exchange: HostExchange): void {
    this.#open.delete(exchange);
    this.server.checkEmpty();
  }

  /** The host accepts on; its new requests are refused after the next step. */
  stopAccepting(): void {}

  endConnections(): void {
    this.#isAccepting = false;
  }

  async dropConnections(): Promise<void> {
    for (const one of this.#open.snapshot()) {
      guard(
        () => one.drop(),
        (error) => this.server.report(error, { source: "connection" }),
      );
    }
  }
}
