// `attach`: channels inside a server of node:http or node:https, and so in every framework above it.

import type { IncomingMessage, ServerResponse } from "node:http";
import { ChannelError } from "../../base/errors.ts";
import { badOption } from "../../base/option-values.ts";
import type { ResponseHead } from "../../codec/http1-response.ts";
import type { Handler } from "../../request/handle.ts";
import type { ChannelRequest } from "../../request/request.ts";
import { checkHandler } from "../../server/check-options.ts";
import type { ServerStats } from "../../server/counts.ts";
import { ExchangeServer } from "../../server/exchange-server.ts";
import type { FetchHandler } from "../../server/options.ts";
import { toHandler } from "../../server/serve.ts";
import type { BaseServer, ServerStatus } from "../../server/server.ts";
import { TEXT_PLAIN } from "../../transport/http/transport.ts";
import type { NodeExchange } from "./exchange.ts";
import { NodeHost, serverOf } from "./host.ts";
import type { NodeServer } from "./host-server.ts";
import { type AttachOptions, checkAttachOptions, toUpgradeMatcher } from "./options.ts";
import { bodyLeftBy, toBodyBytes } from "./request-body.ts";

/** Options of `request`. */
export interface AttachedRequestOptions {
  /**
   * The body, if a body parser has read it before: text, bytes, or the value that it made of JSON. Undefined and null mean
   * that none has.
   */
  readonly body?: unknown;
}

/** Channels inside a server that stays yours: `attach` returns them. */
export interface Attached extends BaseServer {
  /**
   * Returns the request of a handler of node:http, for `withChannel`, `openChannel`, `openSession` and `pollGroup`. Called once
   * for each request, before its response has begun. Throws NOT_OUR_REQUEST for a request of another server, and
   * ALREADY_ANSWERED for one that has its request or response.
   */
  request(request: IncomingMessage, response: ServerResponse, options?: AttachedRequestOptions): ChannelRequest;
  /**
   * Returns a listener that answers requests with a handler as `serve` takes it: with channels, or with what it returns. Throws
   * BAD_OPTION for what is no handler.
   */
  listener(
    handler: Handler | { readonly fetch: FetchHandler },
  ): (request: IncomingMessage, response: ServerResponse) => void;
}

/** The attached channels, by their server. */
const ATTACHED = new WeakMap<NodeServer, AttachedServer>();

/** The property of a response that holds its exchange. */
const EXCHANGE = Symbol("unichannel.exchange");

type OwnedResponse = ServerResponse & { [EXCHANGE]?: NodeExchange };

interface Refusal extends ResponseHead {
  readonly body: string;
}

/** The channels have ended with a stop. */
const STOPPED: Refusal = { status: 503, fields: [...TEXT_PLAIN, "Retry-After", "1"], body: "Service Unavailable\n" };
/** Node passes on requests that the engine refuses. Their fields would be believed. */
const CLOSING = [...TEXT_PLAIN, "Connection", "close"];
const BAD_HOST: Refusal = { status: 400, fields: CLOSING, body: "malformed HTTP request: Host\n" };
const BAD_VERSION: Refusal = { status: 505, fields: CLOSING, body: "HTTP version not supported\n" };

/**
 * Brings channels into a server of node:http or node:https that is yours: one route serves WebSockets, event streams,
 * streaming, long polls and sessions. Upgrades of `upgrades` become requests of the server, so that its middleware applies to
 * them; all other upgrades are left alone. When the server is closed, its channels end.
 *
 * Throws BAD_OPTION, and ALREADY_ATTACHED for a server that has this already.
 */
export function attach(server: NodeServer, options: AttachOptions): Attached {
  return new AttachedServer(server, options);
}

/**
 * Returns the request of a handler that knows no `Attached`, by the connection of its request. Throws NOT_OUR_REQUEST where
 * nothing is attached to its server.
 */
export function requestOf(request: IncomingMessage, response: ServerResponse): ChannelRequest {
  const server = serverOf(request);
  const attached = server === undefined ? undefined : ATTACHED.get(server);
  if (attached === undefined) {
    throw new ChannelError(
      "NOT_OUR_REQUEST",
      "nothing is attached to its server: attach(server, { upgrades }) before it listens",
    );
  }
  return attached.request(request, response);
}

class AttachedServer implements Attached {
  readonly exchanges: ExchangeServer;
  readonly #host: NodeHost;

  constructor(server: NodeServer, options: AttachOptions) {
    checkServer(server);
    checkAttachOptions(options);
    const before = ATTACHED.get(server);
    if (before !== undefined && before.status !== "stopped") throw new ChannelError("ALREADY_ATTACHED");
    const { upgrades, ...others } = options;
    const isOurs = toUpgradeMatcher(upgrades);
    this.exchanges = new ExchangeServer(() => undefined, others, { shownAs: this });
    if (before !== undefined) before.#host.detach();
    this.#host = new NodeHost(this.exchanges, server, isOurs);
    ATTACHED.set(server, this);
    this.exchanges.start(this.#host);
  }

  get status(): ServerStatus {
    return this.exchanges.status;
  }

  request(request: IncomingMessage, response: ServerResponse, options: AttachedRequestOptions = {}): ChannelRequest {
    const exchange = this.#toExchange(request, response, options);
    const taken = this.#take(exchange);
    exchange.lasts();
    return taken;
  }

  listener(
    handler: Handler | { readonly fetch: FetchHandler },
  ): (request: IncomingMessage, response: ServerResponse) => void {
    checkHandler("listener", handler);
    const own = toHandler(handler);
    return (request, response) => {
      let exchange: NodeExchange;
      try {
        exchange = this.#toExchange(request, response, {});
      } catch (error) {
        // Thrown to Node it would end the process.
        this.exchanges.report(error, { source: "handler" });
        if (response.headersSent === false) response.writeHead(500).end();
        return;
      }
      if (this.#refusalOf(exchange) === undefined) this.exchanges.serve(exchange, own);
      else this.#take(exchange);
      exchange.lasts();
    };
  }

  stats(): ServerStats {
    return this.exchanges.stats();
  }

  stop(options?: { readonly graceMs?: number }): Promise<void> {
    return this.exchanges.stop(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** The answer to an exchange that is not served; undefined for nearly all. */
  #refusalOf(exchange: NodeExchange): Refusal | undefined {
    if (!exchange.isHttp1) return BAD_VERSION;
    if (!exchange.hasHost) return BAD_HOST;
    return this.#host.isAccepting ? undefined : STOPPED;
  }

  /** The request of an exchange, refused where it is not served. */
  #take(exchange: NodeExchange): ChannelRequest {
    const taken = this.exchanges.take(exchange);
    const refusal = taken.isRefused ? undefined : this.#refusalOf(exchange);
    if (refusal === undefined) return taken;
    taken.isRefused = true;
    exchange.respond(refusal, refusal.body);
    return taken;
  }

  #toExchange(request: IncomingMessage, response: OwnedResponse, { body }: AttachedRequestOptions): NodeExchange {
    checkMessages(request, response);
    if (!this.#host.hasRead(request)) {
      throw new ChannelError("NOT_OUR_REQUEST", "its connection is another server's: attach to that one as well");
    }
    if (response[EXCHANGE] !== undefined) {
      throw new ChannelError("ALREADY_ANSWERED", "request() was called for this exchange before: use what it returned");
    }
    if ((response.headersSent || response.writableEnded) && !response.destroyed) {
      throw new ChannelError("ALREADY_ANSWERED", "its response has begun: call request() before anything is sent");
    }
    const bytes = toBodyBytes(body) ?? bodyLeftBy(request);
    const exchange = this.#host.toExchange(request, response, bytes);
    response[EXCHANGE] = exchange;
    return exchange;
  }
}

/** Throws NOT_OUR_REQUEST for the objects of a framework, which have those of node:http inside. */
function checkMessages(request: IncomingMessage, response: ServerResponse): void {
  const hasRequest = Array.isArray(request?.rawHeaders) && typeof request.socket === "object" && "read" in request;
  if (hasRequest && typeof response?.writeHead === "function") return;
  throw new ChannelError(
    "NOT_OUR_REQUEST",
    "pass the request and response of node:http (Fastify: request.raw, reply.raw; Koa: ctx.req, ctx.res; Hono: c.env.incoming, c.env.outgoing)",
  );
}

function checkServer(server: unknown): void {
  const { on, emit, listen } = (server ?? {}) as Partial<Record<"on" | "emit" | "listen", unknown>>;
  if (typeof on === "function" && typeof emit === "function" && typeof listen === "function") return;
  throw badOption("attach takes the server of node:http: http.createServer(app), app.listen(…) or app.server");
}
