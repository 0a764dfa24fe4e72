// One process of a service whose sessions may be asked for at any process: its place in the session store, the listener for
// the other processes, and the routes of requests.

import type { SessionStore } from "../../backplane/session-store.ts";
import { within } from "../../base/within.ts";
import type { Exchange } from "../../transport/exchange.ts";
import type { ExchangeServer, SessionsElsewhere } from "../exchange-server.ts";
import type { Connection } from "../exchange-source.ts";
import { ProcessDirectory } from "./process-directory.ts";
import type { RelayOptions } from "./relay-address.ts";
import { RelayListener } from "./relay-listener.ts";
import { SessionRouter } from "./session-router.ts";

/** A server begins without its store if that does not answer in time: its own sessions do not need it. */
const START_MS = 2000;

export class SessionService implements SessionsElsewhere {
  readonly #server: ExchangeServer;
  readonly #directory: ProcessDirectory;
  readonly #listener: RelayListener;
  readonly #router: SessionRouter;

  constructor(server: ExchangeServer, store: SessionStore, relay: RelayOptions | undefined) {
    this.#server = server;
    const report = (error: unknown): void => server.report(error, { source: "sessions" });
    this.#directory = new ProcessDirectory({ store, clock: server.clock, report });
    this.#router = new SessionRouter({
      home: {
        has: (token) => server.sessions.has(token),
        isLeaving: (token) => server.sessions.isLeaving(token),
        restore: (token, snapshot) => server.sessions.restore(token, snapshot),
        serve: (exchange) => {
          exchange.sendInterim?.();
          server.serveHeld(exchange);
        },
        refuse: (exchange, error) => server.refuseHeld(exchange, error),
        report,
      },
      store,
      directory: this.#directory,
    });
    this.#listener = new RelayListener({
      server,
      tcp: relay,
      secret: () => this.#directory.secret,
      onExchange: (exchange: Exchange) => {
        server.hold();
        this.#router.takeRelayed(exchange);
      },
    });
    server.sessions.process = this.#directory.id;
  }

  /** Begins to listen for the other processes. Rejects with Node's own error. */
  async start(): Promise<void> {
    const address = await this.#listener.listen();
    await within(this.#server.clock, START_MS, this.#directory.start(address));
  }

  takes(exchange: Exchange): boolean {
    return this.#router.takes(exchange);
  }

  snapshot(): readonly Connection[] {
    return this.#listener.connections.snapshot();
  }

  dropRelays(): void {
    this.#router.dropRelays();
  }

  async stop(): Promise<void> {
    this.#router.dropRelays();
    await this.#directory.stop();
    await this.#listener.close();
  }
}
