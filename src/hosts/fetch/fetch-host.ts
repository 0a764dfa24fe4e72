// `createFetchHost`: channels inside a server of Fetch handlers: Bun.serve, Deno.serve, and any other for all but WebSockets.

import { ChannelError } from "../../base/errors.ts";
import { guard } from "../../base/guard.ts";
import { IndexedSet } from "../../base/indexed-set.ts";
import { badOption } from "../../base/option-values.ts";
import type { ResponseHead } from "../../codec/http1-response.ts";
import type { Handler } from "../../request/handle.ts";
import { checkHandler } from "../../server/check-options.ts";
import type { ServerStats } from "../../server/counts.ts";
import { ExchangeServer } from "../../server/exchange-server.ts";
import type { Connection, ExchangeSource } from "../../server/exchange-source.ts";
import type { FetchHandler } from "../../server/options.ts";
import { toHandler } from "../../server/serve.ts";
import type { BaseServer, ServerStatus } from "../../server/server.ts";
import type { WebSocketOptions } from "../../transport/exchange.ts";
import { TEXT_PLAIN } from "../../transport/http/transport.ts";
import { HostConnection } from "../native/connection.ts";
import { HostWebSocket, type HostWebSocketContext } from "../native/transport.ts";
import { type BunServer, type BunWebSocketHandlers, bunSide, bunWebSocketHandlers } from "./bun.ts";
import { type DenoInfo, denoSide } from "./deno.ts";
import { FetchExchange, type FetchExchangeOwner } from "./exchange.ts";
import {
  checkFetchHostOptions,
  DEFAULT_MAX_UNREAD_BYTES,
  type FetchHostOptions,
  toIdleTimeoutSeconds,
} from "./options.ts";
import { type ServerSide, UNKNOWN_SERVER } from "./server-side.ts";

/** Channels inside a server that stays yours: `createFetchHost` returns them. */
export interface FetchHost extends BaseServer {
  /**
   * Answers one request with a handler as `serve` takes it. `server` is the second argument of the server's own handler: Bun's
   * `Server`, Deno's `info`; without it there are no WebSockets and no addresses. On Bun the answer to a WebSocket is undefined,
   * which Bun.serve wants to have returned. Throws NOT_OUR_REQUEST for what is no `Request`, BAD_OPTION for what is no handler.
   */
  respond(
    request: Request,
    server: unknown,
    handler: Handler | { readonly fetch: FetchHandler },
  ): Response | Promise<Response>;
  /** Returns a Fetch handler that answers all its requests with `handler`. Throws BAD_OPTION for what is no handler. */
  fetch(
    handler: Handler | { readonly fetch: FetchHandler },
  ): (request: Request, server?: unknown) => Response | Promise<Response>;
  /** For `Bun.serve({ websocket })`. It ignores WebSockets that are not ours. */
  readonly websocket: BunWebSocketHandlers;
}

interface Refusal extends ResponseHead {
  readonly body: string;
}

/** The channels have ended with a stop. */
const STOPPED: Refusal = { status: 503, fields: [...TEXT_PLAIN, "Retry-After", "1"], body: "Service Unavailable\n" };
const BAD_HOST: Refusal = { status: 400, fields: TEXT_PLAIN, body: "malformed HTTP request: Host\n" };

/**
 * Makes a host for channels inside Bun.serve, Deno.serve and other servers that answer a Fetch `Request` with a `Response`. Made
 * once for a server. Throws BAD_OPTION.
 */
export function createFetchHost(options: FetchHostOptions = {}): FetchHost {
  return new OwnFetchHost(options);
}

class OwnFetchHost implements FetchHost, ExchangeSource, FetchExchangeOwner {
  readonly server: ExchangeServer;
  readonly websocket: BunWebSocketHandlers;
  readonly url = undefined;
  readonly isUnix = false;
  readonly #open = new IndexedSet<FetchExchange | HostConnection>();
  readonly #webSocketContext: HostWebSocketContext;
  readonly #idleTimeoutSeconds: number;
  readonly #bunSides = new WeakMap<BunServer, ServerSide>();
  #isAccepting = true;

  constructor(options: FetchHostOptions) {
    checkFetchHostOptions(options);
    const { maxUnreadBytes = DEFAULT_MAX_UNREAD_BYTES, ...others } = options;
    this.server = new ExchangeServer(() => undefined, others, { shownAs: this });
    const { clock, flusher, budget, received, limits } = this.server;
    this.#webSocketContext = { clock, flusher, budget, received, limits, maxUnreadBytes };
    this.#idleTimeoutSeconds = toIdleTimeoutSeconds(options);
    this.websocket = bunWebSocketHandlers(limits.maxMessageBytes);
    this.server.start(this);
  }

  get status(): ServerStatus {
    return this.server.status;
  }

  get size(): number {
    return this.#open.size;
  }

  fetch(
    handler: Handler | { readonly fetch: FetchHandler },
  ): (request: Request, server?: unknown) => Response | Promise<Response> {
    checkHandler("fetch", handler);
    const own = toHandler(handler);
    return (request, server) => this.#respond(request, server, own);
  }

  respond(
    request: Request,
    server: unknown,
    handler: Handler | { readonly fetch: FetchHandler },
  ): Response | Promise<Response> {
    checkHandler("respond", handler);
    return this.#respond(request, server, toHandler(handler));
  }

  stats(): ServerStats {
    return this.server.stats();
  }

  stop(options?: { readonly graceMs?: number }): Promise<void> {
    return this.server.stop(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  toWebSocket({ remoteAddress, isEncrypted }: FetchExchange, options: WebSocketOptions): HostWebSocket {
    const connection = new HostConnection(remoteAddress, isEncrypted);
    const transport = new HostWebSocket(this.#webSocketContext, options, () => {
      if (connection.index === undefined) return;
      this.#open.delete(connection);
      this.server.connectionClosed(connection);
    });
    connection.transport = transport;
    this.#open.add(connection);
    this.server.connectionOpened(connection);
    return transport;
  }

  opened(exchange: FetchExchange): void {
    this.#open.add(exchange);
  }

  closed(exchange: FetchExchange): void {
    this.#open.delete(exchange);
    this.server.checkEmpty();
  }

  snapshot(): readonly Connection[] {
    return this.#open.snapshot();
  }

  stopAccepting(): void {}

  endConnections(): void {
    this.#isAccepting = false;
  }

  async dropConnections(): Promise<void> {
    for (const one of this.#open.snapshot()) {
      guard(
        () => one.drop(),
        (error) => this.server.report(error, { source: "connection" }),
      );
    }
  }

  #respond(request: Request, server: unknown, handler: Handler): Response | Promise<Response> {
    if (typeof request?.url !== "string" || !(request.headers instanceof Headers)) {
      throw new ChannelError("NOT_OUR_REQUEST", "pass the Fetch Request that the server gave (in Hono: c.req.raw)");
    }
    const exchange = new FetchExchange(this, request, this.#sideOf(server));
    const refusal = exchange.hasHost ? (this.#isAccepting ? undefined : STOPPED) : BAD_HOST;
    if (refusal === undefined) this.server.serve(exchange, handler);
    else {
      const taken = this.server.take(exchange);
      if (!taken.isRefused) exchange.respond(refusal, refusal.body);
    }
    exchange.lasts();
    // Bun wants undefined where it has switched to a WebSocket, which its types do not say.
    return exchange.toAnswer() as Response | Promise<Response>;
  }

  #sideOf(server: unknown): ServerSide {
    if (server === undefined || server === null) return UNKNOWN_SERVER;
    if (isBunServer(server)) {
      let side = this.#bunSides.get(server);
      if (side === undefined) this.#bunSides.set(server, (side = bunSide(server)));
      return side;
    }
    if (isDenoInfo(server)) return denoSide(server, this.#idleTimeoutSeconds);
    throw badOption("the second argument is that of the server's own handler: Bun's server, or Deno's info");
  }
}

function isBunServer(server: unknown): server is BunServer {
  return typeof (server as Partial<BunServer>).upgrade === "function";
}

function isDenoInfo(server: unknown): server is DenoInfo {
  return typeof (server as Partial<DenoInfo>).remoteAddr === "object";
}
