// The server: accepts connections, gives each to its driver, knows what is open, and ends it all when asked.
// Long because it is the one context of connections, channels and proxies: another would be a field more in each of them.

import { createServer, type Server as NetServer, type Socket } from "node:net";
import type { TlsOptions, Server as TlsServer } from "node:tls";
import { type Clock, systemClock, type Timer } from "../base/clock.ts";
import type { DebugLog } from "../base/debug-log.ts";
import { ChannelError, type ErrorCode } from "../base/errors.ts";
import { IndexedSet } from "../base/indexed-set.ts";
import type { MessageCounts, OverflowPolicy } from "../channel/context.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import { pageFieldsOf } from "../request/access.ts";
import { type Access, toAccess } from "../request/access-rules.ts";
import type { Client } from "../request/client.ts";
import type { ErrorReporter } from "../request/context.ts";
import type { Handler } from "../request/handle.ts";
import { ChannelRequest } from "../request/request.ts";
import type { UpgradeCheck } from "../request/upgrade-check.ts";
import { type SessionServerContext, Sessions } from "../session/registry.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { Exchange } from "../transport/exchange.ts";
import { type Http1Context, Http1Driver } from "../transport/http1/driver.ts";
import { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { ByteStreamListener } from "../transport/io/byte-stream.ts";
import { Flusher } from "../transport/io/flusher.ts";
import { ProxyListener } from "../transport/io/proxy-stream.ts";
import { type Address, listen, toAddress, urlOf } from "./address.ts";
import { AddressLimit, sayBusy } from "./admission.ts";
import { Arrears } from "./arrears.ts";
import { toGraceMs } from "./check-options.ts";
import type { ServerStats } from "./counts.ts";
import { dateField } from "./date-field.ts";
import { openDebugLog } from "./debug-lines.ts";
import { logWarn } from "./log.ts";
import { addressOf, NetStream } from "./net-stream.ts";
import { Observer } from "./observer.ts";
import { type ServeOptions, type ServerLimits, toLimits, toServerField, toTimerMs } from "./options.ts";
import { type ProxyFront, type ProxyFrontServer, toProxyFront } from "./proxy-front.ts";
import type { Server, ServerStatus } from "./server.ts";
import { createTls, renewTls, toTlsOptions } from "./tls.ts";
import { renewedTls, type TlsRenewal, validityWarning } from "./tls-options.ts";
import { findClient, type ProxyRules, toBelieved, toTrust } from "./trusted-proxies.ts";

/** A timeout begins with one beat and ends with another: each may come this late, both together a second. */
const BEAT_MS = 500;

/** To end a connection costs some 0.15 ms: so many are ended before others get their turn. */
const MAX_ENDINGS_PER_TURN = 64;

const KEEP_ALIVE_MS = 30_000;

/** When clients of a server that stops are told to come back: the next one needs a moment to listen. */
const COME_BACK_MS = { least: 1000, most: 3000 };

export class EngineServer implements Server, SessionServerContext, Http1Context, ProxyFrontServer {
  readonly clock: Clock;
  readonly flusher: Flusher = new Flusher(setImmediate, (error) => this.report(error, { source: "connection" }));
  readonly report: ErrorReporter;
  readonly budget: BufferBudget;
  readonly received: BufferBudget;
  readonly http: Http1Context["http"];
  readonly webSocket: ServerLimits;
  readonly channelSettings: SessionServerContext["channelSettings"];
  readonly closeTimeoutMs: number;
  readonly timeouts: ServerLimits;
  readonly access: Access;
  readonly messages: MessageCounts;
  readonly sessions: Sessions;
  readonly upgrade: UpgradeCheck | undefined;
  readonly debug: DebugLog | undefined;
  readonly #observer: Observer;
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
  #tls: TlsOptions | undefined;
  /** What is below TLS: until its handshake is done such a socket has no stream. */
  readonly #sockets = new Set<Socket>();
  readonly #streams = new IndexedSet<NetStream>();
  readonly #channels = new IndexedSet<TransportChannel>();
  #nextBeat: Timer | undefined;
  #beatAt = 0;
  #port = 0;
  /** What the system says of the listening socket. */
  #bound: ReturnType<NetServer["address"]> = null;
  #isUnix = false;
  #status: ServerStatus = "running";
  #stopped: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;
  /** What the beat that is going on looks at. */
  #beating: (NetStream | TransportChannel)[] | undefined;
  #isMakingRoom = false;
  readonly #arrears: Arrears = new Arrears();

  constructor(handler: Handler, options: ServeOptions, clock: Clock = systemClock) {
    this.clock = clock;
    this.#handler = handler;
    this.#options = options;
    this.#limits = toLimits(options);
    this.debug = openDebugLog();
    this.#observer = new Observer(this, options, clock, this.debug);
    this.report = this.#observer.report;
    this.messages = this.#observer.counts.messages;
    this.budget = new BufferBudget(this.#limits.maxTotalBufferedBytes);
    this.received = new BufferBudget(this.#limits.maxTotalReceivedBytes);
    this.received.onExceeded = () => this.#makeRoomSoon();
    this.webSocket = this.#limits;
    this.timeouts = this.#limits;
    this.access = toAccess(options, (error, request) => this.report(error, { source: "handler", request }));
    const isProxy = (address: string): boolean => this.#rules?.trusts(address) === true;
    this.sessions = new Sessions(this.#limits, this.flusher, this.budget, this.received, isProxy, this.debug);
    this.upgrade = options.upgrade;
    this.channelSettings = {
      maxBufferedBytes: this.#limits.maxBufferedBytes,
      onOverflow: "close",
      heartbeat: this.#limits,
    };
    this.closeTimeoutMs = this.#limits.closeTimeoutMs;
    this.http = {
      ...this.#limits,
      maxBodyBytesOf: ({ method, target }) => (method === "POST" ? this.sessions.maxPostBytes(target) : undefined),
      dateField: dateField(this.clock),
      serverField: toServerField(options.serverHeader),
    };
    // A FIN from the client ends its side only: the answer to what it asked still goes out.
    // Keep-alive probes find peers that vanished without a FIN where nothing is sent that would miss an answer.
    const settings = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
    const onSocket = (socket: Socket): void => this.accept(socket);
    const handshakeTimeoutMs = toTimerMs(this.#limits.tlsHandshakeTimeoutMs);
    const report = (error: unknown): void => this.report(error, { source: "connection" });
    const tls = options.tls === undefined ? undefined : toTlsOptions(options.tls, settings, handshakeTimeoutMs, report);
    this.#tls = tls;
    const isUnix = (): boolean => this.#isUnix;
    const believed = toBelieved(options.proxyHeaders);
    const trusts = toTrust(options.trustedProxies, isUnix, report);
    this.#rules = trusts === undefined ? undefined : { trusts, believed };
    const { maxConnectionsPerAddress } = this.#limits;
    if (maxConnectionsPerAddress < Number.POSITIVE_INFINITY) {
      this.#addresses = new AddressLimit(maxConnectionsPerAddress, trusts);
    }
    this.#front = toProxyFront(options, trusts, tls, this);
    // Last of all that may throw: the socket that systemd passes can be taken once.
    this.#address = toAddress(options, process.env, process.pid);
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
    this.start();
  }

  /** A certificate that is not valid now is taken: a client may ignore it, and clocks differ. */
  #warnOfCertificate(): void {
    const warning = this.#tls === undefined ? undefined : validityWarning(this.#tls, Date.now());
    if (warning !== undefined) logWarn(this.#options.logger, {}, warning);
  }

  /** Time begins to run for it. A server that does not listen has the connections that `accept` is given. */
  start(): void {
    this.#beatAt = this.clock.now();
    this.#beat();
    this.#observer.serverStarted();
    this.#warnOfCertificate();
  }

  stats(): ServerStats {
    return this.#observer.counts.stats(this.#streams, this.#channels);
  }

  setTls(options: TlsRenewal): void {
    if (this.#tlsServer === undefined || this.#tls === undefined) {
      throw new ChannelError("BAD_OPTION", "the server was started without tls; give serve the option tls");
    }
    const tls = renewedTls(this.#tls, options);
    renewTls(this.#tlsServer, this.#tls, tls);
    this.#tls = tls;
    this.#warnOfCertificate();
  }

  stop(options: { readonly graceMs?: number } = {}): Promise<void> {
    try {
      const graceMs = toGraceMs("stop", options);
      this.#stopped ??= this.#stop(graceMs);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  onExchange(exchange: Exchange): void {
    this.#observer.serve(new ChannelRequest(exchange, this), this.#handler);
  }

  onExchangeEnd(exchange: Exchange, status: number, isWhole: boolean): void {
    this.#observer.requestEnded(exchange, status, isWhole);
  }

  pageFieldsOf(exchange: Exchange): readonly string[] | undefined {
    return this.access.cors === undefined ? undefined : pageFieldsOf(new ChannelRequest(exchange, this));
  }

  onRefusal(error: ChannelError): void {
    this.#observer.requestRefused(error);
  }

  findClient(exchange: Exchange): Client {
    const { remoteAddress: address, scheme, head } = exchange;
    const own = { address, scheme, host: head.host };
    // With PROXY headers no address means that the proxy knows none, even on a Unix socket.
    if (this.#rules === undefined || (address === undefined && this.#front !== undefined)) return own;
    return findClient(own, head.fields, this.#rules);
  }

  refused(request: ChannelRequest, status: number, why: string, code?: ErrorCode): void {
    this.#observer.refused(request, status, why, code);
  }

  channelOpened(channel: TransportChannel, request: ChannelRequest): void {
    this.#channels.add(channel);
    this.#observer.channelOpened(channel, request);
    // A handler that was running when the stop began.
    if (this.#status !== "running") queueMicrotask(() => channel.goAway(comeBackMs()));
  }

  channelOverflowed(channel: TransportChannel, policy: OverflowPolicy): void {
    this.#observer.channelOverflowed(channel, policy);
  }

  channelEnded(channel: TransportChannel, status: CloseStatus): void {
    this.#channels.delete(channel);
    this.#observer.channelEnded(channel, status);
    this.#checkEmpty();
  }

  connectionOpened(stream: NetStream): void {
    this.#observer.connectionOpened(stream);
  }

  streamClosed(stream: NetStream): void {
    this.#streams.delete(stream);
    this.#addresses?.leave(stream);
    if (hasBegun(stream)) this.#observer.connectionClosed(stream);
    this.#checkEmpty();
  }

  openStream(socket: Socket): NetStream | undefined {
    // What is above TLS has been counted below.
    const isFull = this.#options.tls === undefined && this.#streams.size >= this.#limits.maxConnections;
    if (isFull || this.#status !== "running") {
      this.#observer.connectionRefused(addressOf(socket));
      sayBusy(socket);
      return undefined;
    }
    const stream = new NetStream(socket, this);
    this.#streams.add(stream);
    return stream;
  }

  admits(connection: NetStream | Socket, address: string | undefined): boolean {
    if (this.#addresses === undefined || this.#addresses.enter(connection, address)) return true;
    this.#observer.connectionRefused(address);
    return false;
  }

  turnAway(stream: NetStream): void {
    const socket = stream.release(undefined);
    this.streamClosed(stream);
    sayBusy(socket);
  }

  /** One timer for all: what waits too long, or is silent too long, is found by looking at each twice a second. */
  #beat(): void {
    if (this.#status === "stopped") return;
    // First, so that nothing that goes wrong below ends all timeouts.
    this.#nextBeat = this.clock.setTimer(() => this.#beat(), BEAT_MS);
    this.#beatArrears();
    // The beat before is not done yet.
    if (this.#beating !== undefined) return;
    this.#beating = [...this.#streams.snapshot(), ...this.#channels.snapshot()];
    const now = this.clock.now();
    const isLate = now - this.#beatAt >= 2 * BEAT_MS;
    this.#beatAt = now;
    // A process that was busy or suspended has not read what came meanwhile: it does before anything is taken for silence.
    if (isLate) setImmediate(() => this.#beatOn(0));
    else this.#beatOn(0);
  }

  #beatArrears(): void {
    if (!this.budget.isExceeded) this.#arrears.clear();
    else this.#try(() => this.#arrears.beat(this.#channels.snapshot(), this.clock.now()));
  }

  /** Looks at each from `from` on; goes on in the next turn when many were ended in this one. */
  #beatOn(from: number): void {
    const all = this.#beating!;
    const now = this.clock.now();
    let endings = 0;
    for (let i = from; i < all.length; i++) {
      if (endings >= MAX_ENDINGS_PER_TURN) {
        setImmediate(() => this.#beatOn(i));
        return;
      }
      const one = all[i]!;
      // It was closed meanwhile.
      if (one.index === undefined) continue;
      try {
        if (one instanceof NetStream ? this.#beatStream(one, now) : beatChannel(one, now)) endings += 1;
      } catch (error) {
        this.report(error, { source: "connection" });
      }
    }
    this.#beating = undefined;
  }

  #beatStream(stream: NetStream, now: number): boolean {
    const isLost = stream.beat(now, this.#limits.writeTimeoutMs);
    const { listener } = stream;
    if (listener instanceof Http1Driver) return listener.beat(now) || isLost;
    if (listener instanceof ProxyListener) return listener.beat(now, this.#limits.headerTimeoutMs) || isLost;
    return isLost;
  }

  /** At the end of the turn: those who hold much, and do not grow any more, must make room for others as well. */
  #makeRoomSoon(): void {
    if (this.#isMakingRoom) return;
    this.#isMakingRoom = true;
    setImmediate(() => {
      this.#isMakingRoom = false;
      for (const { listener } of this.#streams.snapshot()) {
        if (!this.received.isExceeded) return;
        listener?.makeRoom?.();
      }
      for (const channel of this.#channels.snapshot()) {
        if (!this.received.isExceeded) return;
        channel.refuseInput();
      }
    });
  }

  /** A new connection: a socket, or whatever behaves as one. */
  accept(socket: Socket): void {
    const stream = this.openStream(socket);
    if (stream === undefined) return;
    if (this.#front !== undefined) this.#front.accept(stream);
    else if (this.#options.tls !== undefined || this.admits(stream, stream.remoteAddress)) {
      stream.listener = new Http1Driver(stream, this);
      this.connectionOpened(stream);
    } else this.turnAway(stream);
  }

  /** A connection that will be TLS. Who is one too many could be told so only after the handshake, which is what costs. */
  #watch(socket: Socket): void {
    const isFull = this.#sockets.size >= this.#limits.maxConnections;
    if (isFull) this.#observer.connectionRefused(addressOf(socket));
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
    this.#observer.serverStopping(graceMs, this.#streams.size, this.#channels.size);
    // Neither the clock's timers nor half-closed sockets keep the process, but who awaits a stop must see its end.
    const awake = setInterval(() => {}, 60_000);
    try {
      await this.#endAll(graceMs);
    } finally {
      clearInterval(awake);
      this.clock.clearTimer(this.#nextBeat);
      this.#status = "stopped";
      this.#observer.serverStopped();
    }
  }

  async #endAll(graceMs: number): Promise<void> {
    const startedAt = this.clock.now();
    const listening = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    // First, so that the last responses say `Connection: close`.
    this.#closeSoon((listener) => listener instanceof Http1Driver && !listener.isIdle);
    for (const channel of this.#channels.snapshot()) this.#try(() => channel.goAway(comeBackMs()));
    // A client between two polls fetches with the next one what was sent before the stop.
    await this.#within(graceMs, this.sessions.noneLingers());
    // A request may have arrived that nobody has read yet: its client would hear nothing but the end of the connection.
    for (let turns = 0; turns < 2; turns++) await new Promise(setImmediate);
    this.#closeSoon(() => true);
    await this.#empty(Math.max(graceMs - (this.clock.now() - startedAt), 0));
    for (const stream of this.#streams.snapshot()) this.#try(() => stream.destroy());
    for (const socket of this.#sockets) this.#try(() => socket.destroy());
    await listening;
    // Sockets say that they are closed a turn or two after they are destroyed.
    for (let turns = 0; this.#streams.size > 0 && turns < 10; turns++) await new Promise(setImmediate);
    for (const channel of this.#channels.snapshot()) this.#try(() => channel.abandon());
  }

  /** One connection or channel that cannot be ended as it should be must not keep the others from their end. */
  #try(end: () => void): void {
    try {
      end();
    } catch (error) {
      this.report(error, { source: "connection" });
    }
  }

  #closeSoon(isMeant: (listener: ByteStreamListener) => boolean): void {
    for (const { listener } of this.#streams.snapshot()) {
      if ((listener instanceof Http1Driver || listener instanceof ProxyListener) && isMeant(listener)) {
        this.#try(() => listener.closeSoon());
      }
    }
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

  /** Resolves with `work`, or after `ms`. */
  async #within(ms: number, work: Promise<void>): Promise<void> {
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      timer = this.clock.setTimer(resolve, ms);
    });
    await Promise.race([work, late]);
    this.clock.clearTimer(timer);
  }

  #checkEmpty(): void {
    if (this.#streams.size === 0 && this.#channels.size === 0) this.#onEmpty?.();
  }
}

/** Each client gets its own: they must not come back all at once. */
function comeBackMs(): number {
  const { least, most } = COME_BACK_MS;
  return least + Math.floor(Math.random() * (most - least + 1));
}

/** True if the channel was ended. */
function beatChannel(channel: TransportChannel, now: number): boolean {
  const wasOpen = channel.isOpen;
  channel.tick(now);
  return wasOpen && !channel.isOpen;
}

/** HTTP has begun on it: of one that ends before, at its PROXY header or for want of room, nobody has heard. */
function hasBegun({ listener }: NetStream): boolean {
  return listener !== undefined && !(listener instanceof ProxyListener);
}
