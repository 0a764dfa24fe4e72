// The server that `serve` returns: an exchange server, and the listener whose connections bring it exchanges.

import type { Handler } from "../request/handle.ts";
import type { ServerStats } from "./counts.ts";
import type { EngineListener } from "./engine-listener.ts";
import { ExchangeServer } from "./exchange-server.ts";
import { checkHttp2Tls } from "./http2-options.ts";
import { Listener } from "./listener.ts";
import type { ServeOptions } from "./options.ts";
import type { Server, ServerStatus } from "./server.ts";
import type { TlsRenewal } from "./tls-options.ts";

export type EngineListenerClass = new (server: ExchangeServer, options: ServeOptions) => EngineListener;

export class EngineServer implements Server {
  readonly exchanges: ExchangeServer;
  readonly #listener: EngineListener;

  /** `Listening` makes the listening socket. Throws BAD_OPTION. */
  constructor(handler: Handler, options: ServeOptions, Listening: EngineListenerClass = Listener) {
    checkHttp2Tls(options);
    this.exchanges = new ExchangeServer(handler, options, { shownAs: this });
    this.#listener = new Listening(this.exchanges, options);
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
    await this.#listener.listen();
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
