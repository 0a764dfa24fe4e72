// Who sees what happens in a server: it counts, tells those who listen to `diagnostics.ts`, and logs the little that is
// logged. While nobody listens an event costs an addition and a look at `hasSubscribers`: nothing is built, no clock read.

import type { Clock } from "../base/clock.ts";
import type { DebugLog } from "../base/debug-log.ts";
import type { ChannelError, ErrorCode } from "../base/errors.ts";
import { inspectable } from "../base/guard.ts";
import { LogLimit } from "../base/log-limit.ts";
import type { OverflowPolicy } from "../channel/context.ts";
import { nextId } from "../channel/ids.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import type { ErrorContext, ErrorReporter } from "../request/context.ts";
import { type Handler, handleRequest } from "../request/handle.ts";
import type { ChannelRequest } from "../request/request.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { Exchange } from "../transport/exchange.ts";
import { ServerCounts } from "./counts.ts";
import { DebugLines } from "./debug-lines.ts";
import * as topics from "./diagnostics.ts";
import { type LogOptions, logInfo, toLeftOut, toReporter } from "./log.ts";
import type { NetStream } from "./net-stream.ts";
import { RefusalLog } from "./refusal-log.ts";
import type { Server } from "./server.ts";

/** What a beginning leaves for its end. */
interface Begun<Subject> {
  readonly subject: Subject;
  readonly at: number;
}

/** An end is published for what began while somebody listened to the beginning or the end: only then is it known. */
export class Observer {
  readonly counts: ServerCounts = new ServerCounts();
  readonly report: ErrorReporter;
  readonly #server: Server;
  readonly #options: LogOptions;
  readonly #clock: Clock;
  readonly #limit: LogLimit;
  readonly #refusals: RefusalLog;
  /** Undefined: nobody reads them. */
  readonly #debug: DebugLines | undefined;
  readonly #connections = new WeakMap<NetStream, Begun<topics.DiagnosticsConnection>>();
  readonly #requests = new WeakMap<Exchange, Begun<ChannelRequest>>();
  readonly #channels = new WeakMap<TransportChannel, number>();
  #stoppingSince = 0;

  constructor(
    server: Server,
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

  serverStarted(): void {
    const server = this.#server;
    if (topics.SERVER_START.hasSubscribers) topics.SERVER_START.publish({ server });
    logInfo(this.#options.logger, { url: server.url }, "listening");
    this.#debug?.server(`listening: ${server.url}`);
  }

  serverStopping(graceMs: number, connections: number, channels: number): void {
    this.#stoppingSince = this.#clock.now();
    logInfo(this.#options.logger, { graceMs, connections, channels }, "stopping");
    this.#debug?.server(`stopping: ${connections} connections, ${channels} channels, ${graceMs} ms at most`);
  }

  serverStopped(): void {
    const server = this.#server;
    const durationMs = this.#clock.now() - this.#stoppingSince;
    if (topics.SERVER_STOP.hasSubscribers) topics.SERVER_STOP.publish({ server, durationMs });
    this.#limit.flush();
    logInfo(this.#options.logger, { durationMs }, "stopped");
    this.#debug?.server("stopped");
  }

  connectionOpened(stream: NetStream): void {
    this.counts.connectionsOpened += 1;
    this.#debug?.connectionOpened(stream);
    if (!topics.CONNECTION_OPEN.hasSubscribers && !topics.CONNECTION_CLOSE.hasSubscribers) return;
    const { remoteAddress, isEncrypted } = stream;
    const connection = { id: nextId(), remoteAddress, isEncrypted };
    this.#connections.set(stream, { subject: connection, at: this.#clock.now() });
    topics.CONNECTION_OPEN.publish({ server: this.#server, connection });
  }

  connectionClosed(stream: NetStream): void {
    this.counts.bytesReceived += stream.bytesReceived;
    this.counts.bytesSent += stream.bytesSent;
    this.#debug?.connectionClosed(stream);
    if (!topics.CONNECTION_CLOSE.hasSubscribers) return;
    const begun = this.#connections.get(stream);
    if (begun === undefined) return;
    const { subject: connection, at } = begun;
    topics.CONNECTION_CLOSE.publish({ server: this.#server, connection, durationMs: this.#clock.now() - at });
  }

  connectionRefused(remoteAddress: string | undefined): void {
    this.counts.connectionsRefused += 1;
    this.#debug?.connectionRefused(remoteAddress);
    if (!topics.CONNECTION_REFUSE.hasSubscribers) return;
    topics.CONNECTION_REFUSE.publish({ server: this.#server, remoteAddress });
  }

  /** Has a request served; told of where somebody listens, in the context that they bind to it. */
  serve(request: ChannelRequest, handler: Handler): void {
    this.counts.requests += 1;
    this.#debug?.requestBegun(request);
    if (topics.REQUEST_START.hasSubscribers || topics.REQUEST_END.hasSubscribers) {
      this.#requests.set(request.exchange, { subject: request, at: this.#clock.now() });
      topics.REQUEST_START.runStores({ server: this.#server, request }, () => handleRequest(request, handler));
    } else handleRequest(request, handler);
  }

  requestEnded(exchange: Exchange, status: number, isWhole: boolean): void {
    if (status > 0) this.counts.response(status);
    this.#debug?.requestEnded(exchange, status);
    if (!topics.REQUEST_END.hasSubscribers) return;
    const begun = this.#requests.get(exchange);
    if (begun === undefined) return;
    topics.REQUEST_END.publish({
      server: this.#server,
      request: begun.subject,
      status: status === 0 ? undefined : status,
      isWhole,
      durationMs: this.#clock.now() - begun.at,
    });
  }

  requestRefused(error: ChannelError): void {
    this.counts.response(error.status!);
    this.#debug?.requestRefused(error);
    if (topics.REQUEST_REFUSE.hasSubscribers) topics.REQUEST_REFUSE.publish({ server: this.#server, error });
  }

  /** A request that the library itself refuses, not the application. */
  refused(request: ChannelRequest, status: number, why: string, code: ErrorCode | undefined): void {
    if (code === "FORBIDDEN_ORIGIN") this.#refusals.originRefused(request);
    else if (code === "FORBIDDEN_HOST") this.#refusals.hostRefused(request);
    this.#debug?.refused(request, status, why);
  }

  channelOpened(channel: TransportChannel, request: ChannelRequest): void {
    this.#debug?.channelOpened(channel, request);
    if (!topics.CHANNEL_OPEN.hasSubscribers && !topics.CHANNEL_CLOSE.hasSubscribers) return;
    this.#channels.set(channel, this.#clock.now());
    topics.CHANNEL_OPEN.publish({ server: this.#server, channel: channel.publicChannel, request });
  }

  channelEnded(channel: TransportChannel, status: CloseStatus): void {
    this.counts.channelClosed(channel.transport, status.name);
    this.#debug?.channelEnded(channel, status);
    if (!topics.CHANNEL_CLOSE.hasSubscribers) return;
    const openedAt = this.#channels.get(channel);
    if (openedAt === undefined) return;
    const durationMs = this.#clock.now() - openedAt;
    topics.CHANNEL_CLOSE.publish({ server: this.#server, channel: channel.publicChannel, status, durationMs });
  }

  channelOverflowed(channel: TransportChannel, policy: OverflowPolicy): void {
    this.counts.overflow(policy);
    if (!topics.CHANNEL_OVERFLOW.hasSubscribers) return;
    topics.CHANNEL_OVERFLOW.publish({ server: this.#server, channel: channel.publicChannel, policy });
  }

  #failed(error: unknown, context: ErrorContext): void {
    this.counts.error(error, context.source);
    if (topics.ERROR.hasSubscribers) topics.ERROR.publish({ server: this.#server, error, ...context });
  }
}
