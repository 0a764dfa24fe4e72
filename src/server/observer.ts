// Receives each event of a server: counts it, publishes it on its topic (`diagnostics.ts`) and logs it where it is logged.
// Without subscribers an event costs an addition and a check of `hasSubscribers`: no object is made, no clock read.

import type { Clock } from "../base/clock.ts";
import type { DebugLog } from "../base/debug-log.ts";
import type { ChannelError, ErrorCode } from "../base/errors.ts";
import { inspectable } from "../base/guard.ts";
import { LogLimit } from "../base/log-limit.ts";
import type { OverflowPolicy } from "../channel/context.ts";
import { nextId } from "../channel/ids.ts";
import type { RateExceeded } from "../channel/rate-gate.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import type { ErrorContext, ErrorReporter } from "../request/context.ts";
import type { ChannelRequest } from "../request/request.ts";
import type { AttachedCarrier } from "../session/context.ts";
import type { CarrierWatcher } from "../session/registry.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { Exchange } from "../transport/exchange.ts";
import type { TransportKind } from "../transport/transport.ts";
import { ServerCounts } from "./counts.ts";
import { DebugLines } from "./debug-lines.ts";
import { type DiagnosticsConnection, type SessionEvent, topic } from "./diagnostics.ts";
import type { OpenConnection } from "./exchange-source.ts";
import { type LogOptions, logInfo, toLeftOut, toReporter } from "./log.ts";
import { RefusalLog } from "./refusal-log.ts";
import type { BaseServer } from "./server.ts";

const SERVER_START = topic("unichannel:server.start");
const SERVER_STOP = topic("unichannel:server.stop");
const CONNECTION_OPEN = topic("unichannel:connection.open");
const CONNECTION_CLOSE = topic("unichannel:connection.close");
const CONNECTION_REFUSE = topic("unichannel:connection.refuse");
const REQUEST_START = topic("unichannel:request.start");
const REQUEST_END = topic("unichannel:request.end");
const REQUEST_REFUSE = topic("unichannel:request.refuse");
const CHANNEL_OPEN = topic("unichannel:channel.open");
const CHANNEL_CLOSE = topic("unichannel:channel.close");
const CHANNEL_OVERFLOW = topic("unichannel:channel.overflow");
const CHANNEL_RATE = topic("unichannel:channel.rate");
const SESSION_ATTACH = topic("unichannel:session.attach");
const SESSION_DETACH = topic("unichannel:session.detach");
const SESSION_LOST = topic("unichannel:session.lost");
const SESSION_RELAY = topic("unichannel:session.relay");
const SESSION_STORE = topic("unichannel:session.store");
const SESSION_TAKE = topic("unichannel:session.take");
const ERROR = topic("unichannel:error");

/** Kept from the beginning of a connection or request until its end. */
interface Begun<Subject> {
  readonly subject: Subject;
  readonly at: number;
}

/** An end is published only if its topic, or that of the beginning, had subscribers at the beginning: otherwise no data is kept. */
export class Observer implements CarrierWatcher {
  readonly counts: ServerCounts = new ServerCounts();
  readonly report: ErrorReporter;
  readonly #server: BaseServer;
  readonly #options: LogOptions;
  readonly #clock: Clock;
  readonly #limit: LogLimit;
  readonly #refusals: RefusalLog;
  /** Undefined if NODE_DEBUG does not ask for them. */
  readonly #debug: DebugLines | undefined;
  readonly #connections = new WeakMap<OpenConnection, Begun<DiagnosticsConnection>>();
  readonly #requests = new WeakMap<Exchange, Begun<ChannelRequest>>();
  readonly #channels = new WeakMap<TransportChannel, number>();

  constructor(
    server: BaseServer,
    options: LogOptions & { readonly allowedOrigins?: unknown },
    clock: Clock,
    debug: DebugLog | undefined,
  ) {
    this.#server = server;
    this.#options = options;
    this.#clock = clock;
    this.#debug = debug === undefined ? undefined : new DebugLines(debug);
    this.#limit = new LogLimit(clock, toLeftOut(options.logger));
    this.#refusals = new RefusalLog(options.logger, options.allowedOrigins);
    const tell = toReporter(options, this.#limit);
    this.report = (thrown, context) => {
      const error = inspectable(thrown);
      this.#failed(error, context);
      tell(error, context);
    };
  }

  /** `url`: undefined for a server that does not listen itself. */
  serverStarted(url: string | undefined): void {
    if (SERVER_START.hasSubscribers) SERVER_START.publish({ server: this.#server });
    if (url === undefined) return;
    logInfo(this.#options.logger, { url }, "listening");
    this.#debug?.server(`listening: ${url}`);
  }

  serverStopping(graceMs: number, connections: number, channels: number): void {
    logInfo(this.#options.logger, { graceMs, connections, channels }, "stopping");
    this.#debug?.server(`stopping: ${connections} connections, ${channels} channels, ${graceMs} ms at most`);
  }

  serverStopped(durationMs: number): void {
    if (SERVER_STOP.hasSubscribers) SERVER_STOP.publish({ server: this.#server, durationMs });
    this.#limit.flush();
    logInfo(this.#options.logger, { durationMs }, "stopped");
    this.#debug?.server("stopped");
  }

  connectionOpened(connection: OpenConnection): void {
    this.counts.connectionsOpened += 1;
    this.#debug?.connectionOpened(connection);
    if (!CONNECTION_OPEN.hasSubscribers && !CONNECTION_CLOSE.hasSubscribers) return;
    const { remoteAddress, isEncrypted } = connection;
    const subject = { id: nextId(), remoteAddress, isEncrypted };
    this.#connections.set(connection, { subject, at: this.#clock.now() });
    CONNECTION_OPEN.publish({ server: this.#server, connection: subject });
  }

  connectionClosed(connection: OpenConnection): void {
    this.counts.bytesReceived += connection.bytesReceived;
    this.counts.bytesSent += connection.bytesSent;
    this.#debug?.connectionClosed(connection);
    if (!CONNECTION_CLOSE.hasSubscribers) return;
    const begun = this.#connections.get(connection);
    if (begun === undefined) return;
    const { subject, at } = begun;
    CONNECTION_CLOSE.publish({ server: this.#server, connection: subject, durationMs: this.#clock.now() - at });
  }

  connectionRefused(remoteAddress: string | undefined): void {
    this.counts.connectionsRefused += 1;
    this.#debug?.connectionRefused(remoteAddress);
    if (CONNECTION_REFUSE.hasSubscribers) CONNECTION_REFUSE.publish({ server: this.#server, remoteAddress });
  }

  /** Tells subscribers that a request has begun, and calls `serve` in the context of the stores that they have bound. */
  runRequest<H>(request: ChannelRequest, serve: (request: ChannelRequest, handler: H) => void, handler: H): void {
    this.counts.requests += 1;
    this.#debug?.requestBegun(request);
    if (REQUEST_START.hasSubscribers || REQUEST_END.hasSubscribers) {
      this.#requests.set(request.exchange, { subject: request, at: this.#clock.now() });
      REQUEST_START.runStores({ server: this.#server, request }, () => serve(request, handler));
    } else serve(request, handler);
  }

  requestEnded(exchange: Exchange, status: number | undefined, response: "whole" | "cut"): void {
    if (status !== undefined) this.counts.response(status);
    this.#debug?.requestEnded(exchange, status);
    if (!REQUEST_END.hasSubscribers) return;
    const begun = this.#requests.get(exchange);
    if (begun === undefined) return;
    REQUEST_END.publish({
      server: this.#server,
      request: begun.subject,
      status,
      isWhole: response === "whole",
      durationMs: this.#clock.now() - begun.at,
    });
  }

  requestRefused(error: ChannelError): void {
    this.counts.response(error.status!);
    this.#debug?.requestRefused(error);
    if (REQUEST_REFUSE.hasSubscribers) REQUEST_REFUSE.publish({ server: this.#server, error });
  }

  /** The library itself, not the application, refuses a request. */
  refused(request: ChannelRequest, status: number, why: string, code: ErrorCode | undefined): void {
    if (code === "FORBIDDEN_ORIGIN") this.#refusals.originRefused(request);
    else if (code === "FORBIDDEN_HOST") this.#refusals.hostRefused(request);
    this.#debug?.refused(request, status, why);
  }

  channelOpened(channel: TransportChannel, request: ChannelRequest): void {
    this.#debug?.channelOpened(channel, request);
    if (!CHANNEL_OPEN.hasSubscribers && !CHANNEL_CLOSE.hasSubscribers) return;
    this.#channels.set(channel, this.#clock.now());
    CHANNEL_OPEN.publish({ server: this.#server, channel: channel.publicChannel, request });
  }

  channelEnded(channel: TransportChannel, status: CloseStatus): void {
    this.counts.channelClosed(channel.transport, status.name);
    this.#debug?.channelEnded(channel, status);
    if (!CHANNEL_CLOSE.hasSubscribers) return;
    const openedAt = this.#channels.get(channel);
    if (openedAt === undefined) return;
    const durationMs = this.#clock.now() - openedAt;
    CHANNEL_CLOSE.publish({ server: this.#server, channel: channel.publicChannel, status, durationMs });
  }

  channelOverflowed(channel: TransportChannel, policy: OverflowPolicy): void {
    this.counts.overflow(policy);
    const server = this.#server;
    if (CHANNEL_OVERFLOW.hasSubscribers) CHANNEL_OVERFLOW.publish({ server, channel: channel.publicChannel, policy });
  }

  rateExceeded(channel: TransportChannel, { policy, limit }: RateExceeded): void {
    this.counts.rateExceeded(policy);
    if (!CHANNEL_RATE.hasSubscribers) return;
    CHANNEL_RATE.publish({ server: this.#server, channel: channel.publicChannel, policy, limit });
  }

  channelExpired(): void {
    this.counts.expired += 1;
  }

  get isWatchingAttach(): boolean {
    return SESSION_ATTACH.hasSubscribers;
  }

  get isWatchingDetach(): boolean {
    return SESSION_DETACH.hasSubscribers;
  }

  carrierAttached(channel: TransportChannel, attached: AttachedCarrier): void {
    SESSION_ATTACH.publish({ server: this.#server, channel: channel.publicChannel, ...attached });
  }

  carrierLost(channel: TransportChannel, transport: TransportKind, status: CloseStatus): void {
    SESSION_DETACH.publish({ server: this.#server, channel: channel.publicChannel, transport, status });
  }

  sessionLost(request: ChannelRequest): void {
    this.counts.sessions.lost += 1;
    if (SESSION_LOST.hasSubscribers) SESSION_LOST.publish({ server: this.#server, request });
  }

  sessionMoved(event: SessionEvent): void {
    const { sessions } = this.counts;
    const server = this.#server;
    if (event.type === "relay") {
      sessions.relayed += 1;
      if (SESSION_RELAY.hasSubscribers) SESSION_RELAY.publish({ server, process: event.process });
    } else if (event.type === "take") {
      sessions.taken += 1;
      if (SESSION_TAKE.hasSubscribers) SESSION_TAKE.publish({ server });
    } else {
      const { channel, isStored } = event;
      sessions[isStored ? "stored" : "notStored"] += 1;
      if (SESSION_STORE.hasSubscribers) SESSION_STORE.publish({ server, channel, isStored });
    }
  }

  #failed(error: unknown, context: ErrorContext): void {
    this.counts.error(error, context.source);
    if (ERROR.hasSubscribers) ERROR.publish({ server: this.#server, error, ...context });
  }
}
