// The engine as it is, without a listener: its connections are those that a test gives it.

import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import { badOption } from "../base/option-values.ts";
import type { Handler } from "../request/handle.ts";
import { Connections } from "../server/connections.ts";
import type { ServerStats } from "../server/counts.ts";
import { ExchangeServer } from "../server/exchange-server.ts";
import type { ServeOptions } from "../server/options.ts";
import type { Server, ServerStatus } from "../server/server.ts";
import type { MemorySocket } from "./memory-socket.ts";

export class MemoryEngine implements Server {
  readonly port = 0;
  readonly url: string;
  readonly exchanges: ExchangeServer;
  readonly #connections: Connections;

  constructor(
    handler: Handler,
    options: ServeOptions,
    { clock, url }: { readonly clock: Clock; readonly url: string },
  ) {
    this.url = url;
    this.exchanges = new ExchangeServer(handler, options, { clock, shownAs: this });
    this.#connections = new Connections(this.exchanges);
    // Nothing is on its way in a network that has settled; and a stop takes no time that a test has to let pass.
    this.#connections.lastRequestMs = 0;
    this.exchanges.start(this.#connections);
  }

  get status(): ServerStatus {
    return this.exchanges.status;
  }

  /** Takes the server's end of a new connection. */
  accept(socket: MemorySocket): void {
    this.#connections.accept(socket as unknown as Socket);
  }

  stats(): ServerStats {
    return this.exchanges.stats();
  }

  stop(options?: { readonly graceMs?: number }): Promise<void> {
    return this.exchanges.stop(options);
  }

  setTls(): void {
    throw badOption("the server was started without tls; a server in memory has none");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
