// `attach`: channels inside a server of node:http, node:https or node:http2, and so in every framework above it.

import { ChannelError } from "../../base/errors.ts";
import { badOption } from "../../base/option-values.ts";
import type { Handler } from "../../request/handle.ts";
import type { ChannelRequest } from "../../request/request.ts";
import { checkRequestHandler } from "../../server/check-options.ts";
import { ExchangeServer } from "../../server/exchange-server.ts";
import { logWarn } from "../../server/log.ts";
import type { FetchHandler } from "../../server/options.ts";
import { toHandler } from "../../server/serve.ts";
import type { BaseServer } from "../../server/server.ts";
import { HostedServer } from "../hosted-server.ts";
import { type HostRefusal, STOPPED } from "../refusal.ts";
import { NodeHost } from "./host.ts";
import type { AttachedExchange, NodeRequest, NodeResponse, NodeServer } from "./host-server.ts";
import { serverOf } from "./known-connections.ts";
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
   * Returns the request of a handler of node:http or node:http2, for `withChannel`, `openChannel`, `openSession` and `pollGroup`. Called once
   * for each request, before its response has begun. Throws NOT_OUR_REQUEST for a request of another server, and
   * ALREADY_ANSWERED for one that has its request or response.
   */
  request(request: NodeRequest, response: NodeResponse, options?: AttachedRequestOptions): ChannelRequest;
  /**
   * Returns a listener that answers requests with a handler as `serve` takes it: with channels, or with its results. Throws
   * BAD_OPTION for anything else.
   */
  listener(handler: Handler | { readonly fetch: FetchHandler }): (request: NodeRequest, response: NodeResponse) => void;
}

/** The attached channels, by their server. */
const ATTACHED = new WeakMap<NodeServer, AttachedServer>();

/** The property of a response that holds its exchange. */
const EXCHANGE = Symbol("unichannel.exchange");

type OwnedResponse = NodeResponse & { [EXCHANGE]?: AttachedExchange };

/**
 * Brings channels into a server of node:http, node:https or node:http2 that is yours: one route serves WebSockets, event
 * streams, streaming, long polls and sessions. Upgrades of `upgrades` become requests of the server, so that its middleware applies to
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
export function requestOf(request: NodeRequest, response: NodeResponse): ChannelRequest {
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

class AttachedServer extends HostedServer implements Attached {
  readonly exchanges: ExchangeServer;
  readonly #host: NodeHost;

  constructor(server: NodeServer, options: AttachOptions) {
    super();
    checkServer(server);
    checkAttachOptions(options);
    const before = ATTACHED.get(server);
    if (before !== undefined && before.status !== "stopped") throw new ChannelError("ALREADY_ATTACHED");
    const { upgrades, ...others } = options;
    const isOurs = toUpgradeMatcher(upgrades);
    this.exchanges = new ExchangeServer(() => undefined, others, { shownAs: this });
    if (before !== undefined) before.#host.detach();
    this.#host = new NodeHost(this.exchanges, server, { isOurs, onNoHttp2WebSockets: () => warnOfSettings(options) });
    ATTACHED.set(server, this);
    this.exchanges.start(this.#host);
  }

  request(request: NodeRequest, response: NodeResponse, options: AttachedRequestOptions = {}): ChannelRequest {
    const exchange = this.#toExchange(request, response, options);
    const wasGone = exchange.exchange.isClientGone;
    const taken = this.#take(exchange);
    this.#follow(exchange, wasGone);
    return taken;
  }

  listener(
    handler: Handler | { readonly fetch: FetchHandler },
  ): (request: NodeRequest, response: NodeResponse) => void {
    checkRequestHandler("listener", handler);
    const own = toHandler(handler);
    return (request, response) => {
      let exchange: AttachedExchange;
      try {
        exchange = this.#toExchange(request, response, {});
      } catch (error) {
        // An exception that reaches Node would end the process.
        this.exchanges.report(error, { source: "handler" });
        if (response.headersSent === false) response.writeHead(500).end();
        return;
      }
      const wasGone = exchange.exchange.isClientGone;
      if (this.#refusalOf(exchange) === undefined) this.exchanges.serve(exchange.exchange, own);
      else this.#take(exchange);
      this.#follow(exchange, wasGone);
    };
  }

  /** Ends an exchange whose client left before it was served, as no event follows. For all others the client is watched. */
  #follow(exchange: AttachedExchange, wasGone: boolean): void {
    if (wasGone) this.exchanges.onExchangeCut(exchange.exchange, undefined);
    else exchange.followClient();
  }

  /** Returns the answer to an exchange that is not served; undefined if it is served. */
  #refusalOf(exchange: AttachedExchange): HostRefusal | undefined {
    if (exchange.refusal !== undefined) return exchange.refusal;
    return this.#host.isAccepting ? undefined : STOPPED;
  }

  /** Makes the request of an exchange, and answers it if it is not served. */
  #take(hosted: AttachedExchange): ChannelRequest {
    const { exchange } = hosted;
    const taken = this.exchanges.take(exchange);
    const refusal = taken.isRefused ? undefined : this.#refusalOf(hosted);
    if (refusal === undefined) return taken;
    taken.isRefused = true;
    exchange.respond(refusal, refusal.body);
    return taken;
  }

  #toExchange(request: NodeRequest, response: OwnedResponse, { body }: AttachedRequestOptions): AttachedExchange {
    checkMessages(request, response);
    if (!this.#host.owns(request)) {
      throw new ChannelError("NOT_OUR_REQUEST", "its connection is another server's: attach to that one as well");
    }
    if (response[EXCHANGE] !== undefined) {
      throw new ChannelError("ALREADY_ANSWERED", "request() was called for this exchange before: use what it returned");
    }
    if ((response.headersSent || response.writableEnded) && !isGone(response)) {
      throw new ChannelError("ALREADY_ANSWERED", "its response has begun: call request() before anything is sent");
    }
    const bytes = toBodyBytes(body) ?? bodyLeftBy(request);
    const exchange = this.#host.toExchange(request, response, bytes);
    response[EXCHANGE] = exchange;
    return exchange;
  }
}

/** Throws NOT_OUR_REQUEST for the objects of a framework, which have those of node:http inside. */
function checkMessages(request: NodeRequest, response: NodeResponse): void {
  const hasRequest = Array.isArray(request?.rawHeaders) && typeof request.socket === "object" && "read" in request;
  if (hasRequest && typeof response?.writeHead === "function") return;
  throw new ChannelError(
    "NOT_OUR_REQUEST",
    "pass the request and response of node:http or node:http2 (Fastify: request.raw, reply.raw; Koa: ctx.req, ctx.res; Hono: c.env.incoming, c.env.outgoing)",
  );
}

/** Without the setting no client of HTTP/2 asks for a WebSocket, and those of HTTP/1.1 are not served. */
function warnOfSettings({ upgrades, logger }: AttachOptions): void {
  if (Array.isArray(upgrades) && upgrades.length === 0) return;
  const what =
    "clients of HTTP/2 cannot open WebSockets: create the server with settings: { enableConnectProtocol: true }, or attach with upgrades: []";
  logWarn(logger, {}, what);
}

function isGone(response: NodeResponse): boolean {
  return "stream" in response ? response.stream.destroyed : response.destroyed;
}

/** The applications of Express and Koa emit events and listen, too, and would never emit "upgrade": no `setTimeout` tells them. */
function checkServer(server: unknown): void {
  const { on, emit, listen, setTimeout } = (server ?? {}) as Partial<NodeServer>;
  if ([on, emit, listen, setTimeout].every((method) => typeof method === "function")) return;
  throw badOption(
    "attach takes the server of node:http or node:http2, not the application above it: http.createServer(app), what app.listen(…) returns, or app.server",
  );
}
