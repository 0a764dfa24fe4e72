// The base class of the objects that `attach`, `attachUws` and `createFetchHost` return: the channels inside a server that the
// application owns.

import type { ServerStats } from "../server/counts.ts";
import type { ExchangeServer } from "../server/exchange-server.ts";
import type { BaseServer, ServerStatus } from "../server/server.ts";

export abstract class HostedServer implements BaseServer {
  abstract readonly exchanges: ExchangeServer;

  get status(): ServerStatus {
    return this.exchanges.status;
  }

  stats(): ServerStats {
    return this.exchanges.stats();
  }

  stop(options?: { readonly graceMs?: number }): Promise<void> {
    return this.exchanges.stop(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
