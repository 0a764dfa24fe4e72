// The server that `serve` returns: an exchange server, and the listener whose connections bring it exchanges.

import { badOption } from "../base/option-values.ts";
import { StoresMover } from "../group/moving.ts";
import type { Handler } from "../request/handle.ts";
import type { ServerStats } from "./counts.ts";
import type { EngineListener } from "./engine-listener.ts";
import { ExchangeServer } from "./exchange-server.ts";
import { checkHttp2Tls } from "./http2-options.ts";
import { Listener, type TlsEngine } from "./listener.ts";
import type { ServeOptions } from "./options.ts";
import type { SessionService } from "./relay/session-service.ts";
import type { Server, ServerStatus } from "./server.ts";
import type { TlsRenewal } from "./tls-options.ts";

export type EngineListenerClass = new (
  server: ExchangeServer,
  options: ServeOptions,
  tlsEngine?: TlsEngine,
) => EngineListener;

/** The parts of a server that only some options need, and that are loaded for them. */
export interface EngineParts {
  /** Makes the listening socket. @default that of node:net */
  readonly Listening?: EngineListenerClass | undefined;
  /** Needed with the option `tls`. */
  readonly tls?: TlsEngine | undefined;
  /** Needed with the option `sessions`. */
  readonly Service?: typeof SessionService | undefined;
}

export class EngineServer implements Server {
  readonly exchanges: ExchangeServer;
  readonly #listener: EngineListener;
  /** Undefined where sessions stay in this process. */
  readonly #service: SessionService | undefined;

  /** Throws BAD_OPTION. */
  constructor(handler: Handler, options: ServeOptions, { Listening = Listener, tls, Service }: EngineParts = {}) {
    checkHttp2Tls(options);
    this.exchanges = new ExchangeServer(handler, options, { shownAs: this });
    this.#listener = new Listening(this.exchanges, options, tls);
    this.#service = toSessionService(this.exchanges, options, Service);
    this.exchanges.service = this.#service;
  }

  get port(): number {
    return this.#listener.port;
  }

  get url(): string {
    return this.#listener.url;
  }

  get status(): ServerStatus {
    return this.exchanges.status;
  }

  /** Resolves when it listens. Rejects with Node's own error, or BAD_OPTION. */
  async listen(): Promise<void> {
    // Other processes must be able to reach this one as soon as clients can.
    await this.#service?.start();
    try {
      await this.#listener.listen();
    } catch (error) {
      await this.#service?.stop();
      throw error;
    }
    this.exchanges.start(this.#listener);
    this.#listener.warnOfCertificate();
  }

  stats(): ServerStats {
    return this.exchanges.stats();
  }

  stop(options?: { readonly graceMs?: number }): Promise<void> {
    return this.exchanges.stop(options);
  }

  setTls(options: TlsRenewal): void {
    this.#listener.setTls(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Throws BAD_OPTION for `relay` or `stores` without `sessions`. */
function toSessionService(
  server: ExchangeServer,
  options: ServeOptions,
  Service: EngineParts["Service"],
): SessionService | undefined {
  const { sessions: store, relay, stores } = options;
  if (store === undefined) {
    const lonely = relay !== undefined ? "relay" : stores !== undefined ? "stores" : undefined;
    if (lonely !== undefined)
      throw badOption(`${lonely} has an effect only with sessions: give serve a session store, too`);
    return undefined;
  }
  const report = (error: unknown): void => server.report(error, { source: "sessions" });
  const memberships = stores === undefined ? undefined : new StoresMover(stores, report);
  return new Service!(server, { store, relay, memberships });
}
