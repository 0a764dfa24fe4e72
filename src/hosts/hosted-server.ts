// The part that the servers of all hosts have in common: the channels inside a server that stays the application's.

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
