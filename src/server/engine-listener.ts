// The listening socket of a server with the engine: `listener.ts` on node:net and node:tls, `bun/listener.ts` on Bun.listen.

import type { ExchangeSource } from "./exchange-source.ts";
import type { TlsRenewal } from "./tls-options.ts";

export interface EngineListener extends ExchangeSource {
  /** 0 on a Unix socket. */
  readonly port: number;
  readonly url: string;
  /** Resolves when it listens. Rejects with Node's own error, or BAD_OPTION. */
  listen(): Promise<void>;
  /** Warns of a certificate that is not valid now. It is used nevertheless: a client may ignore the dates, and clocks differ. */
  warnOfCertificate(): void;
  /** See `Server.setTls`. */
  setTls(options: TlsRenewal): void;
}
