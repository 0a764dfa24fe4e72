// A server without a listener: serves the exchanges that a source hands it, keeps its open channels, and ends them when it
// is stopped. The engine's source is `connections.ts`. An adapter for another server brings a source of its own.
// Long because requests, channels and the stop share the sets of open things.

import { afterReads } from "../base/after-reads.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import type { DebugLog } from "../base/debug-log.ts";
import type { ChannelError, ErrorCode } from "../base/errors.ts";
import { guard } from "../base/guard.ts";
import { IndexedSet } from "../base/indexed-set.ts";
import { type Moves, StateMachine } from "../base/state-machine.ts";
import { within } from "../base/within.ts";
import type { MessageCounts, OverflowPolicy } from "../channel/context.ts";
import type { RateExceeded } from "../channel/rate-gate.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import { corsFieldsOf } from "../request/access.ts";
import { type Access, toAccess } from "../request/access-rules.ts";
import type { Client } from "../request/client.ts";
import type { ErrorReporter } from "../request/context.ts";
import { admitRequest, type Handler, handleRequest } from "../request/handle.ts";
import { refuse, toRefusal } from "../request/refusal.ts";
import { ChannelRequest } from "../request/request.ts";
import { ServerRates } from "../request/server-rates.ts";
import type { UpgradeCheck } from "../request/upgrade-check.ts";
import type { Leaving } from "../session/hand-over.ts";
import { type SessionServerContext, Sessions } from "../session/registry.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { Exchange } from "../transport/exchange.ts";
import type { ExchangeContext } from "../transport/exchange-context.ts";
import { BufferBudget } from "../transport/io/buffer-budget.ts";
import { Flusher } from "../transport/io/flusher.ts";
import { toGraceMs } from "./check-options.ts";
import type { ServerStats, SessionCounts } from "./counts.ts";
import { dateField } from "./date-field.ts";
import { openDebugLog } from "./debug-lines.ts";
import type { SessionEvent } from "./diagnostics.ts";
import type { ExchangeSource, OpenConnection } from "./exchange-source.ts";
import { makeRoomSoon } from "./making-room.ts";
import { Observer } from "./observer.ts";
import { type ServeOptions, toLimits, toServerField } from "./options.ts";
import type { BaseServer, ServerStatus } from "./server.ts";
import type { ServerLimits } from "./server-limits.ts";
import { SlowChannels } from "./slow-channels.ts";
import { Ticker, type TickerOwner } from "./ticker.ts";
import { findClient, type ProxyRules, toProxyRules } from "./trusted-proxies.ts";

/** Every legal move. */
const MOVES: Moves<ServerStatus> = {
  running: ["stopping"],
  stopping: ["stopped"],
  stopped: [],
};

/** The place of a process in a service of several, which share their sessions. */
export interface ServicePlace {
  /** Takes a request that is not served here, or not at once. False for all others. */
  takes(exchange: Exchange): boolean;
  /** Open connections to other processes, as a copy. */
  snapshot(): readonly OpenConnection[];
  /** Begins to move all sessions to the session store. */
  leave(graceMs: number): Leaving;
  /** Leaves the service. */
  stop(): Promise<void>;
}

interface ExchangeServerParts {
  /** @default the system's */
  readonly clock?: Clock | undefined;
  /** The server as diagnostics show it. @default the ExchangeServer itself */
  readonly shownAs?: BaseServer | undefined;
}

export class ExchangeServer implements BaseServer, SessionServerContext, ExchangeContext, TickerOwner {
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly flusher: Flusher = new Flusher(setImmediate, (error) => this.report(error, { source: "connection" }));
  readonly report: ErrorReporter;
  readonly buffered: BufferBudget;
  readonly received: BufferBudget;
  readonly http: ExchangeContext["http"];
  readonly webSocket: ServerLimits;
  readonly channelSettings: SessionServerContext["channelSettings"];
  readonly rates: ServerRates;
  readonly closeTimeoutMs: number;
  readonly timeouts: ServerLimits;
  readonly access: Access;
  readonly messages: MessageCounts;
  readonly sessions: Sessions;
  readonly upgrade: UpgradeCheck | undefined;
  readonly debug: DebugLog | undefined;
  /** The place of this process in a service that shares its sessions; undefined where it does not. Set before the start. */
  service: ServicePlace | undefined;
  /** Undefined if no proxy is trusted. */
  readonly proxies: ProxyRules | undefined;
  readonly #observer: Observer;
  readonly #handler: Handler;
  readonly #hasProxyHeaders: boolean;
  readonly #channels = new IndexedSet<TransportChannel>();
  readonly #slowChannels: SlowChannels;
  readonly #ticker: Ticker;
  #source: ExchangeSource | undefined;
  readonly #status = new StateMachine("a server", MOVES, "running");
  #stopped: Promise<void> | undefined;
  /** True once a stop ends the channels. One that opens later is ended, too. */
  #areChannelsEnding = false;
  /** The number of requests that are being answered. */
  #openExchanges = 0;
  #onEmpty: (() => void) | undefined;

  /** Throws BAD_OPTION. */
  constructor(handler: Handler, options: ServeOptions, { clock = systemClock, shownAs }: ExchangeServerParts = {}) {
    this.clock = clock;
    this.#handler = handler;
    const limits = toLimits(options);
    this.limits = limits;
    this.debug = openDebugLog();
    this.#observer = new Observer(shownAs ?? this, options, clock, this.debug);
    this.report = this.#observer.report;
    this.messages = this.#observer.counts.messages;
    this.buffered = new BufferBudget(limits.maxTotalBufferedBytes);
    this.#slowChannels = new SlowChannels(this.buffered);
    this.received = new BufferBudget(limits.maxTotalReceivedBytes);
    this.received.onExceeded = makeRoomSoon(this.received, () => this.open());
    this.webSocket = limits;
    this.timeouts = limits;
    this.closeTimeoutMs = limits.closeTimeoutMs;
    const { maxBufferedBytes } = limits;
    this.access = toAccess(options, (error, request) => this.report(error, { source: "handler", request }));
    this.upgrade = options.upgrade;
    const report = (error: unknown): void => this.report(error, { source: "connection" });
    this.proxies = toProxyRules(options, () => this.#source?.isUnix === true, report);
    this.#hasProxyHeaders = (options.proxyProtocol ?? "off") !== "off";
    const isProxy = (address: string): boolean => this.proxies?.isProxy(address) === true;
    this.rates = new ServerRates(limits, options.onRateExceeded, isProxy);
    const { usual: rates } = this.rates;
    this.channelSettings = { maxBufferedBytes, onOverflow: "close", heartbeat: limits, rates };
    const { flusher, buffered, received, debug } = this;
    const watcher = this.#observer;
    this.sessions = new Sessions({ limits, clock, flusher, buffered, received, isProxy, debug, watcher });
    this.http = {
      ...limits,
      maxBodyBytesOf: ({ method, target }) => (method === "POST" ? this.sessions.maxPostBytes(target) : undefined),
      dateField: dateField(clock),
      serverField: toServerField(options.serverHeader),
    };
    this.#ticker = new Ticker(clock, this);
  }

  get status(): ServerStatus {
    return this.#status.current;
  }

  /** Starts the timeouts. Called once. Without a source it serves only the exchanges that are given to `onExchange`. */
  start(source?: ExchangeSource): void {
    this.#source = source;
    this.#ticker.start();
    this.#observer.serverStarted(source?.url);
  }

  stats(): ServerStats {
    return this.#observer.counts.stats({
      connections: this.#source?.snapshot() ?? [],
      openChannels: this.#channels.snapshot(),
      openSessions: this.sessions.size,
    });
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
    this.#openExchanges += 1;
    if (this.service?.takes(exchange) === true) return;
    // Not through `#answer`: one call more costs 1 % of a GET.
    this.#observer.runRequest(new ChannelRequest(exchange, this), handleRequest, this.#handler);
  }

  /** Counts a request that another process has passed on. `serveHeld` or `refuseHeld` may follow. */
  hold(): void {
    this.#openExchanges += 1;
  }

  /** Serves a request that the router has held back. */
  serveHeld(exchange: Exchange): void {
    this.#answer(exchange, this.#handler);
  }

  /** The counters of sessions that move, for the one who moves them. */
  get sessionCounts(): SessionCounts {
    return this.#observer.counts.sessions;
  }

  /** A request has the token of a session that does not exist. */
  sessionLost(request: ChannelRequest): void {
    this.#observer.sessionLost(request);
  }

  /** A session was put into the session store, or was taken from it; or a request was passed on. */
  sessionMoved(event: SessionEvent): void {
    this.#observer.sessionMoved(event);
  }

  /** Answers a request that the router has held back with an error that has a status. */
  refuseHeld(exchange: Exchange, error: ChannelError): void {
    const request = this.#admit(exchange);
    if (!request.isRefused) refuse(request, toRefusal(error), []);
  }

  /** Serves an exchange with another handler than the server's own. */
  serve(exchange: Exchange, handler: Handler): void {
    this.#openExchanges += 1;
    this.#answer(exchange, handler);
  }

  /**
   * Takes an exchange that the caller answers, by a channel or by itself. The request is refused, and answered, if no
   * handler would have been called: for a foreign host, and for a preflight.
   */
  take(exchange: Exchange): ChannelRequest {
    this.#openExchanges += 1;
    return this.#admit(exchange);
  }

  onExchangeEnd(exchange: Exchange, status: number): void {
    this.#openExchanges -= 1;
    this.#observer.requestEnded(exchange, status, "whole");
    this.checkEmpty();
  }

  onExchangeCut(exchange: Exchange, status: number | undefined): void {
    this.#openExchanges -= 1;
    this.#observer.requestEnded(exchange, status, "cut");
    this.checkEmpty();
  }

  corsFieldsOf(exchange: Exchange): readonly string[] | undefined {
    return this.access.cors === undefined ? undefined : corsFieldsOf(new ChannelRequest(exchange, this));
  }

  onRefusal(error: ChannelError): void {
    this.#observer.requestRefused(error);
  }

  findClient(exchange: Exchange): Client {
    const { remoteAddress: address, scheme, head } = exchange;
    const own = { address, scheme, host: head.host };
    // A PROXY header without an address means that the proxy knows none, even on a Unix socket.
    if (this.proxies === undefined || (address === undefined && this.#hasProxyHeaders)) return own;
    return findClient(own, head.fields, this.proxies);
  }

  refused(request: ChannelRequest, status: number, why: string, code?: ErrorCode): void {
    this.#observer.refused(request, status, why, code);
  }

  channelOpened(channel: TransportChannel, request: ChannelRequest): void {
    this.#channels.add(channel);
    this.#observer.channelOpened(channel, request);
    // The handler was still running when the others were told.
    if (this.#areChannelsEnding) queueMicrotask(() => channel.goAway(comeBackMs()));
  }

  channelExpired(): void {
    this.#observer.channelExpired();
  }

  channelOverflowed(channel: TransportChannel, policy: OverflowPolicy): void {
    this.#observer.channelOverflowed(channel, policy);
  }

  rateExceeded(channel: TransportChannel, exceeded: RateExceeded): void {
    this.#observer.rateExceeded(channel, exceeded);
  }

  channelEnded(channel: TransportChannel, status: CloseStatus): void {
    this.#channels.delete(channel);
    this.#observer.channelEnded(channel, status);
    this.checkEmpty();
  }

  /** HTTP begins on a connection of the source. */
  connectionOpened(connection: OpenConnection): void {
    this.#observer.connectionOpened(connection);
  }

  /** A connection that was opened has closed; it is in no set any more. */
  connectionClosed(connection: OpenConnection): void {
    this.#observer.connectionClosed(connection);
    this.checkEmpty();
  }

  connectionRefused(address: string | undefined): void {
    this.#observer.connectionRefused(address);
  }

  /** A stop that waits goes on if nothing is open any more. The source calls this when its last connection has closed. */
  checkEmpty(): void {
    if (this.#onEmpty === undefined || this.#openExchanges > 0 || this.#channels.size > 0) return;
    if (this.#source === undefined || this.#source.size === 0) this.#onEmpty();
  }

  /** True if only this machine can reach it: it listens on a loopback address. False where it does not listen itself. */
  get isLoopbackOnly(): boolean {
    return this.#source?.isLoopback === true;
  }

  /** The channels that are open, as a copy. */
  openChannels(): readonly TransportChannel[] {
    return this.#channels.snapshot();
  }

  /** Connections and channels that are open, as a copy. */
  open(): readonly (OpenConnection | TransportChannel)[] {
    return [...(this.#source?.snapshot() ?? []), ...(this.service?.snapshot() ?? []), ...this.#channels.snapshot()];
  }

  tickBegins(now: number): void {
    this.#guard(() => this.#source?.tick?.());
    this.rates.addresses?.tick(now);
    if (!this.buffered.isExceeded) this.#slowChannels.reset();
    else this.#guard(() => this.#slowChannels.tick(this.#channels.snapshot(), now));
  }

  tickFailed(error: unknown): void {
    this.report(error, { source: "connection" });
  }

  #answer(exchange: Exchange, handler: Handler): void {
    this.#observer.runRequest(new ChannelRequest(exchange, this), handleRequest, handler);
  }

  #admit(exchange: Exchange): ChannelRequest {
    const request = new ChannelRequest(exchange, this);
    this.#observer.runRequest(request, admitRequest, undefined);
    return request;
  }

  async #stop(graceMs: number): Promise<void> {
    this.#status.moveTo("stopping");
    const startedAt = this.clock.now();
    this.#observer.serverStopping(graceMs, this.#source?.size ?? 0, this.#channels.size);
    // Neither the clock's timers nor half-closed sockets keep the process alive, but an awaited stop has to end.
    const awake = setInterval(() => {}, 60_000);
    try {
      await this.#endAll(graceMs);
    } finally {
      clearInterval(awake);
      this.#ticker.stop();
      this.#status.moveTo("stopped");
      this.#observer.serverStopped(this.clock.now() - startedAt);
    }
  }

  /** The order of a stop. Waiting takes `graceMs` at most, all steps together. */
  async #endAll(graceMs: number): Promise<void> {
    const endsAt = this.clock.now() + graceMs;
    const leftMs = (): number => Math.max(endsAt - this.clock.now(), 0);
    await this.#source?.stopAccepting(graceMs / 2);
    this.#areChannelsEnding = true;
    const leaving = this.service?.leave(leftMs());
    for (const channel of this.#channels.snapshot()) {
      if (leaving?.channels.has(channel) !== true) this.#guard(() => channel.goAway(comeBackMs()));
    }
    await leaving?.done;
    // A client between two polls fetches the messages that were sent before the stop with its next poll.
    await within(this.clock, leftMs(), this.sessions.noneLingers());
    // A request may have arrived and not been read: its client would see only the end of the connection.
    await new Promise<void>(afterReads);
    this.#source?.endConnections();
    await within(this.clock, leftMs(), this.#empty());
    await this.#source?.dropConnections();
    await this.service?.stop();
    for (const channel of this.#channels.snapshot()) this.#guard(() => channel.abandon());
  }

  /** Resolves when nothing is open. */
  #empty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
      this.checkEmpty();
    });
  }

  /** A channel that throws while it ends must not prevent the end of the others. */
  #guard(end: () => void): void {
    guard(end, (error) => this.report(error, { source: "connection" }));
  }
}

/** From 1 to 3 s: the next server needs a moment to listen, and clients must not all come back at once. */
function comeBackMs(): number {
  return 1000 + Math.floor(Math.random() * 2001);
}
