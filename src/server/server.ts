// The contract of a server, as `serve` returns it.

import type { ServerStats } from "./counts.ts";
import type { TlsRenewal } from "./tls-options.ts";

/** `stopping`: `stop` was called, and connections are still open. */
export type ServerStatus = "running" | "stopping" | "stopped";

/** The part of a server that has nothing to do with listening. */
export interface BaseServer extends AsyncDisposable {
  /** The state of the server: it serves, waits for open work to end, or has stopped. */
  readonly status: ServerStatus;
  /**
   * Stops: no new connections; a connection without a request has a moment for one more; WebSockets get 1001, event streams their
   * end with a `retry:` of 1 to 3 s, parked polls a 503 with `Retry-After`, running handlers finish, all within `graceMs`; then
   * the rest is dropped. When it resolves every close handler has run. Calling it again returns the same promise. With `Infinity`
   * nothing is dropped. Rejects with BAD_OPTION, and changes nothing, for a `graceMs` that is not a number of milliseconds.
   */
  stop(options?: { /** @default 5000 */ readonly graceMs?: number }): Promise<void>;
  /** Returns the numbers of open connections and channels, and the counters. Takes time for each that is open. */
  stats(): ServerStats;
}

/** A listening server: `serve` resolves to it. */
export interface Server extends BaseServer {
  /** The TCP port that it listens on; 0 on a Unix socket. */
  readonly port: number;
  /** Where a client on this machine reaches it: `http://localhost:9090`, or `unix:` and the path. */
  readonly url: string;
  /**
   * Sets a new certificate on a server that has `tls`: new connections get it, open ones go on. An option that is not given,
   * or undefined, stays as it is; null takes an option away. Throws BAD_OPTION, with OpenSSL's reason, and changes nothing if
   * these do not fit together or no handshake could succeed with them.
   */
  setTls(options: TlsRenewal): void;
}
