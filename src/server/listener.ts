// The listening socket of a server, with or without TLS. It hands each socket that it accepts to the engine's connections.

import { createServer, type Server as NetServer, type Socket } from "node:net";
import type { TlsOptions, Server as TlsServer } from "node:tls";
import { ChannelError } from "../base/errors.ts";
import { type Moves, StateMachine } from "../base/state-machine.ts";
import { type Address, isLoopbackAddress, listen, toListenAddress, urlOf } from "./address.ts";
import { Connections } from "./connections.ts";
import type { EngineListener } from "./engine-listener.ts";
import type { ExchangeServer } from "./exchange-server.ts";
import type { OpenConnection } from "./exchange-source.ts";
import { type Http2Limits, toHttp2Limits } from "./http2-options.ts";
import { logWarn } from "./log.ts";
import { SERVE_DEFAULTS, type ServeOptions, toTimerMs } from "./options.ts";
import { toProxyFront } from "./proxy-front.ts";
import type { TlsRenewal } from "./tls-options.ts";

/** A FIN from the client ends its side only: the answer to its request still goes out. */
const SOCKET_SETTINGS = { allowHalfOpen: true, noDelay: true };

/** The functions of TLS. */
export type TlsEngine = typeof import("./tls.ts");

type ListenerState = "new" | "listening" | "closed";

/** Every legal move. */
const MOVES: Moves<ListenerState> = {
  new: ["listening"],
  listening: ["closed"],
  closed: [],
};

export class Listener implements EngineListener {
  readonly #server: ExchangeServer;
  readonly #connections: Connections;
  readonly #options: ServeOptions;
  readonly #address: Address;
  readonly #netServer: NetServer;
  readonly #tlsServer: TlsServer | undefined;
  /** A PROXY header stands in front of the TLS handshake. */
  readonly #isTlsBehindHeader: boolean;
  readonly #http2: Http2Limits | undefined;
  /** Undefined without the option `tls`. */
  readonly #tlsEngine: TlsEngine | undefined;
  #tls: TlsOptions | undefined;
  readonly #state = new StateMachine("a listener", MOVES, "new");
  /** The address that the system has given; a path, or null, on a Unix socket. */
  #bound: ReturnType<NetServer["address"]> = null;
  /** Resolves when the socket and all that it has accepted is closed. Undefined before it begins to close. */
  #closed: Promise<void> | undefined;

  /** `tlsEngine` is needed with the option `tls`. Throws BAD_OPTION. */
  constructor(server: ExchangeServer, options: ServeOptions, tlsEngine?: TlsEngine) {
    this.#server = server;
    this.#options = options;
    this.#tlsEngine = tlsEngine;
    const report = (error: unknown): void => server.report(error, { source: "connection" });
    const handshakeTimeoutMs = toTimerMs(server.limits.tlsHandshakeTimeoutMs);
    const { tls } = options;
    this.#http2 = toHttp2Limits(options.http2);
    const protocols = this.#http2 === undefined ? "http1" : "http1And2";
    this.#tls =
      tls === undefined
        ? undefined
        : tlsEngine!.toTlsOptions(tls, SOCKET_SETTINGS, handshakeTimeoutMs, report, protocols);
    this.#connections = new Connections(server, tls === undefined ? "atAccept" : "beforeTls");
    const makeTls = this.#tls === undefined ? undefined : tlsEngine!.createTls.bind(undefined, this.#tls);
    const front = toProxyFront(options, server.proxies?.isProxy, makeTls, this.#connections);
    this.#connections.front = front;
    // The last call that may throw: the socket that systemd passes can be taken only once.
    this.#address = toListenAddress(options, process.env, process.pid);
    const onSocket = (socket: Socket): void => this.#connections.accept(socket);
    this.#isTlsBehindHeader = front?.tlsServer !== undefined;
    if (front === undefined && makeTls !== undefined) {
      this.#tlsServer = makeTls(onSocket);
      this.#netServer = this.#tlsServer;
    } else {
      // Behind a PROXY header TLS begins later.
      this.#tlsServer = front?.tlsServer;
      this.#netServer = createServer(SOCKET_SETTINGS, onSocket);
    }
    if (tls !== undefined) this.#netServer.on("connection", (socket) => this.#connections.watchBelowTls(socket));
  }

  /** 0 on a Unix socket. */
  get port(): number {
    return typeof this.#bound === "object" && this.#bound !== null ? this.#bound.port : 0;
  }

  get url(): string {
    return urlOf(this.#address, this.#bound, this.#tls === undefined ? "http" : "https");
  }

  get isUnix(): boolean {
    return !this.#state.is("new") && (this.#bound === null || typeof this.#bound === "string");
  }

  get isLoopback(): boolean {
    return typeof this.#bound === "object" && this.#bound !== null && isLoopbackAddress(this.#bound.address);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Resolves when it listens. Rejects with Node's own error, or BAD_OPTION. */
  async listen(): Promise<void> {
    const limits = this.#http2;
    if (limits !== undefined) {
      // Not loaded without the option: node:http2 takes 20 ms and 2 to 4 MB (Node 20.20).
      const { Http2Connection } = await import("./http2-connection.ts");
      this.#connections.openHttp2 = (socket, address, owner) =>
        new Http2Connection(socket, address, this.#server, limits, owner);
    }
    await listen(this.#netServer, this.#address, this.#options.backlog ?? SERVE_DEFAULTS.backlog);
    this.#bound = this.#netServer.address();
    this.#state.moveTo("listening");
    if (this.isUnix && this.#isTlsBehindHeader) {
      this.#close();
      throw new ChannelError("BAD_OPTION", "proxyProtocol with tls wants TCP, and fd is a Unix socket");
    }
    this.#netServer.on("error", (error) => this.#server.report(error, { source: "listener" }));
  }

  /** Warns of a certificate that is not valid now. It is taken all the same: a client may ignore it, and clocks differ. */
  warnOfCertificate(): void {
    const warning = this.#tls === undefined ? undefined : this.#tlsEngine!.validityWarning(this.#tls, Date.now());
    if (warning !== undefined) logWarn(this.#options.logger, {}, warning);
  }

  setTls(options: TlsRenewal): void {
    if (this.#tlsServer === undefined || this.#tls === undefined) {
      throw new ChannelError("BAD_OPTION", "the server was started without tls; give serve the option tls");
    }
    this.#tls = this.#tlsEngine!.renewTls(this.#tlsServer, this.#tls, options);
    this.warnOfCertificate();
  }

  snapshot(): readonly OpenConnection[] {
    return this.#connections.snapshot();
  }

  async stopAccepting(maxMs: number): Promise<void> {
    this.#connections.stopAccepting();
    // The system resets those that the process has not taken when the port is closed.
    await this.#connections.allTaken(maxMs);
    this.#close();
  }

  endConnections(): void {
    this.#connections.endConnections();
  }

  async dropConnections(): Promise<void> {
    await Promise.all([this.#connections.dropConnections(), this.#closed]);
  }

  #close(): void {
    this.#state.moveTo("closed");
    this.#closed = new Promise((resolve) => this.#netServer.close(() => resolve()));
  }
}
