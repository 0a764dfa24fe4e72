// The server: accepts connections, gives each to its driver, counts what is open, and ends it all when asked.
// Long because it is the one context of connections, channels and proxies: another would be a field more in each of them.

import { createServer, type Server as NetServer, type Socket } from "node:net";
import type { SecureContextOptions, Server as TlsServer } from "node:tls";
import { type Clock, systemClock } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import type { ChannelContext, Client, ErrorReporter } from "../channel/context.ts";
import { type Handler, handleExchange } from "../channel/handle.ts";
import type { AllowedOrigins } from "../channel/origin.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import type { UpgradeCheck } from "../channel/upgrade.ts";
import { BufferBudget } from "../transport/buffer-budget.ts";
import type { Exchange } from "../transport/exchange.ts";
import { Flusher } from "../transport/flusher.ts";
import { type Http1Context, Http1Driver } from "../transport/http1-driver.ts";
import { ProxyListener } from "../transport/proxy-stream.ts";
import type { TransportKind } from "../transport/transport.ts";
import { type Address, listen, toAddress, urlOf } from "./address.ts";
import { AddressLimit, sayBusy } from "./admission.ts";
import { dateField } from "./date-field.ts";
import { addressOf, NetStream } from "./net-stream.ts";
import { type ServeOptions, type ServerLimits, toLimits, toReporter, toServerField, toTimerMs } from "./options.ts";
import { type ProxyFront, type ProxyFrontServer, toProxyFront } from "./proxy-front.ts";
import { createTls, renewTls, toTlsOptions } from "./tls.ts";
import { findClient, type ProxyRules, toBelieved, toTrust } from "./trusted-proxies.ts";

export type ServerStatus = "running" | "stopping" | "stopped";

export interface ServerStats {
  /** Open connections. */
  readonly connections: number;
  /** Requests so far. */
  readonly requests: number;
  /** Open channels by what carries them. */
  readonly channels: Readonly<Record<TransportKind, number>>;
}

export interface Server extends AsyncDisposable {
  /** The TCP port that it listens on; 0 on a Unix socket. */
  readonly port: number;
  /** Where a client on this machine reaches it: `http://localhost:9090`, or `unix:` and the path. */
  readonly url: string;
  readonly status: ServerStatus;
  /**
   * Stops: no new connections; WebSockets get 1001, event streams their end with a `retry:`, parked polls a 503 with
   * `Retry-After`, running handlers finish, all within `graceMs`; then the rest is dropped. When it resolves every
   * close handler has run. Calling it again returns the same promise.
   */
  stop(options?: { /** @default 5000 */ readonly graceMs?: number }): Promise<void>;
  stats(): ServerStats;
  /**
   * A new certificate for a server that has `tls`: new connections get it, those that are open go on. What is not given
   * stays as it is. Throws BAD_OPTION, with OpenSSL's reason, and changes nothing if these do not fit together.
   */
  setTls(options: SecureContextOptions): void;
}

const BEAT_MS = 1000;
const KEEP_ALIVE_MS = 30_000;

export class EngineServer implements Server, ChannelContext, Http1Context, ProxyFrontServer {
  readonly clock: Clock = systemClock;
  readonly flusher: Flusher = new Flusher();
  readonly report: ErrorReporter;
  readonly budget: BufferBudget;
  readonly http: Http1Context["http"];
  readonly webSocket: ServerLimits;
  readonly channelSettings: ChannelContext["channelSettings"];
  readonly closeTimeoutMs: number;
  readonly timeouts: ServerLimits;
  readonly allowedOrigins: AllowedOrigins;
  readonly upgrade: UpgradeCheck | undefined;
  readonly #handler: Handler;
  readonly #options: ServeOptions;
  readonly #limits: ServerLimits;
  readonly #rules: ProxyRules | undefined;
  /** What reads PROXY headers, where there may be any. */
  readonly #front: ProxyFront | undefined;
  /** Where the connections of an address are limited. */
  readonly #addresses: AddressLimit | undefined;
  readonly #address: Address;
  readonly #listener: NetServer;
  readonly #tlsServer: TlsServer | undefined;
  #tls: SecureContextOptions | undefined;
  /** What is below TLS: until its handshake is done such a socket has no stream. */
  readonly #sockets = new Set<Socket>();
  readonly #streams = new Set<NetStream>();
  readonly #channels = new Set<TransportChannel>();
  #port = 0;
  /** What the system says of the listening socket. */
  #bound: ReturnType<NetServer["address"]> = null;
  #isUnix = false;
  #requests = 0;
  #status: ServerStatus = "running";
  #stopped: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(handler: Handler, options: ServeOptions) {
    this.#handler = handler;
    this.#options = options;
    this.#limits = toLimits(options);
    this.report = toReporter(options);
    this.budget = new BufferBudget(this.#limits.maxTotalBufferedBytes);
    this.webSocket = this.#limits;
    this.timeouts = this.#limits;
    this.allowedOrigins = options.allowedOrigins ?? [];
    this.upgrade = options.upgrade;
    this.channelSettings = {
      maxBufferedBytes: this.#limits.maxBufferedBytes,
      onOverflow: "close",
      heartbeat: this.#limits,
    };
    this.closeTimeoutMs = this.#limits.closeTimeoutMs;
    this.http = {
      ...this.#limits,
      dateField: dateField(this.clock),
      serverField: toServerField(options.serverHeader),
    };
    // A FIN from the client ends its side only: the answer to what it asked still goes out.
    // Keep-alive probes find peers that vanished without a FIN where nothing is sent that would miss an answer.
    const settings = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
    const onSocket = (socket: Socket): void => this.#accept(socket);
    const handshakeTimeoutMs = toTimerMs(this.#limits.tlsHandshakeTimeoutMs);
    const tls = options.tls === undefined ? undefined : toTlsOptions(options.tls, settings, handshakeTimeoutMs);
    this.#tls = tls;
    this.#address = toAddress(options, process.env, process.pid);
    const isUnix = (): boolean => this.#isUnix;
    const believed = toBelieved(options.proxyHeaders);
    const trusts = toTrust(options.trustedProxies, isUnix, (error) => this.report(error, { source: "connection" }));
    this.#rules = trusts === undefined ? undefined : { trusts, believed };
    const { maxConnectionsPerAddress } = this.#limits;
    if (maxConnectionsPerAddress < Number.POSITIVE_INFINITY) {
      this.#addresses = new AddressLimit(maxConnectionsPerAddress, trusts);
    }
    this.#front = toProxyFront(options, trusts, tls, this);
    // Behind a PROXY header TLS begins later.
    this.#tlsServer = this.#front?.tlsServer ?? (tls === undefined ? undefined : createTls(tls, onSocket));
    this.#listener = (this.#front === undefined ? this.#tlsServer : undefined) ?? createServer(settings, onSocket);
    if (tls !== undefined) this.#listener.on("connection", (socket) => this.#watch(socket));
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return urlOf(this.#address, this.#bound, this.#tls === undefined ? "http" : "https");
  }

  get status(): ServerStatus {
    return this.#status;
  }

  async listen(): Promise<void> {
    await listen(this.#listener, this.#address, this.#options.backlog ?? 1024);
    this.#bound = this.#listener.address();
    this.#isUnix = this.#bound === null || typeof this.#bound === "string";
    if (this.#isUnix && this.#front?.tlsServer !== undefined) {
      this.#listener.close();
      throw new ChannelError("BAD_OPTION", "proxyProtocol with tls wants TCP, and fd is a Unix socket");
    }
    if (typeof this.#bound === "object" && this.#bound !== null) this.#port = this.#bound.port;
    this.#listener.on("error", (error) => this.report(error, { source: "listener" }));
    this.#beat();
  }

  stats(): ServerStats {
    const channels = { websocket: 0, sse: 0, http: 0 };
    for (const channel of this.#channels) channels[channel.transport] += 1;
    return { connections: this.#streams.size, requests: this.#requests, channels };
  }

  setTls(options: SecureContextOptions): void {
    if (this.#tlsServer === undefined) throw new ChannelError("BAD_OPTION", "the server was started without tls");
    const tls = { ...this.#tls, ...options };
    renewTls(this.#tlsServer, tls);
    this.#tls = tls;
  }

  stop({ graceMs = 5000 }: { readonly graceMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  onExchange(exchange: Exchange): void {
    this.#requests += 1;
    handleExchange(exchange, this.#handler, this);
  }

  findClient(exchange: Exchange): Client {
    const { remoteAddress: address, scheme, head } = exchange;
    const own = { address, scheme, host: head.host };
    // With PROXY headers no address means that the proxy knows none, even on a Unix socket.
    if (this.#rules === undefined || (address === undefined && this.#front !== undefined)) return own;
    return findClient(own, head.fields, this.#rules);
  }

  channelOpened(channel: TransportChannel): void {
    this.#channels.add(channel);
    // A handler that was running when the stop began.
    if (this.#status !== "running") queueMicrotask(() => channel.goAway());
  }

  channelEnded(channel: TransportChannel): void {
    this.#channels.delete(channel);
    this.#checkEmpty();
  }

  streamClosed(stream: NetStream): void {
    this.#streams.delete(stream);
    this.#addresses?.leave(stream);
    this.#checkEmpty();
  }

  openStream(socket: Socket): NetStream | undefined {
    // What is above TLS has been counted below.
    const isFull = this.#options.tls === undefined && this.#streams.size >= this.#limits.maxConnections;
    if (isFull || this.#status !== "running") {
      sayBusy(socket);
      return undefined;
    }
    const stream = new NetStream(socket, this);
    this.#streams.add(stream);
    return stream;
  }

  admits(connection: NetStream | Socket, address: string | undefined): boolean {
    return this.#addresses === undefined || this.#addresses.enter(connection, address);
  }

  turnAway(stream: NetStream): void {
    const socket = stream.release(undefined);
    this.streamClosed(stream);
    sayBusy(socket);
  }

  /** One timer for all: what waits too long, or is silent too long, is found by looking at each once a second. */
  #beat(): void {
    if (this.#status === "stopped") return;
    const now = this.clock.now();
    for (const stream of this.#streams) {
      stream.beat(now, this.#limits.writeTimeoutMs);
      const { listener } = stream;
      if (listener instanceof Http1Driver) listener.beat(now);
      else if (listener instanceof ProxyListener) listener.beat(now, this.#limits.headerTimeoutMs);
    }
    for (const channel of this.#channels) channel.beat(now);
    this.clock.setTimer(() => this.#beat(), BEAT_MS);
  }

  #accept(socket: Socket): void {
    const stream = this.openStream(socket);
    if (stream === undefined) return;
    if (this.#front !== undefined) this.#front.accept(stream);
    else if (this.#options.tls !== undefined || this.admits(stream, stream.remoteAddress)) {
      stream.listener = new Http1Driver(stream, this);
    } else this.turnAway(stream);
  }

  /** A connection that will be TLS. Who is one too many could be told so only after the handshake, which is what costs. */
  #watch(socket: Socket): void {
    const isFull = this.#sockets.size >= this.#limits.maxConnections;
    if (isFull || (this.#front === undefined && !this.admits(socket, addressOf(socket)))) {
      this.#addresses?.leave(socket);
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#addresses?.leave(socket);
    });
  }

  async #stop(graceMs: number): Promise<void> {
    this.#status = "stopping";
    // Neither the clock's timers nor half-closed sockets keep the process, but who awaits a stop must see its end.
    const awake = setInterval(() => {}, 60_000);
    const listening = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    // First, so that the last responses say `Connection: close`.
    for (const { listener } of this.#streams) {
      if (listener instanceof Http1Driver || listener instanceof ProxyListener) listener.closeSoon();
    }
    for (const channel of this.#channels) channel.goAway();
    await this.#empty(graceMs);
    for (const stream of this.#streams) stream.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await listening;
    // Sockets say that they are closed a turn or two after they are destroyed.
    for (let turns = 0; this.#streams.size > 0 && turns < 10; turns++) await new Promise(setImmediate);
    for (const channel of this.#channels) channel.abandon();
    clearInterval(awake);
    this.#status = "stopped";
  }

  /** Resolves when nothing is open, or after `graceMs`. */
  #empty(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.clock.setTimer(resolve, graceMs);
      this.#onEmpty = () => {
        this.clock.clearTimer(timer);
        resolve();
      };
      this.#checkEmpty();
    });
  }

  #checkEmpty(): void {
    if (this.#streams.size === 0 && this.#channels.size === 0) this.#onEmpty?.();
  }
}
