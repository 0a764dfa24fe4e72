// `createFetchHost`: channels inside a server of Fetch handlers: Bun.serve, Deno.serve, and any other for all but WebSockets.

import { ChannelError } from "../../base/errors.ts";
import { badOption } from "../../base/option-values.ts";
import type { Handler } from "../../request/handle.ts";
import { checkRequestHandler } from "../../server/check-options.ts";
import { ExchangeServer } from "../../server/exchange-server.ts";
import type { FetchHandler } from "../../server/options.ts";
import { toHandler } from "../../server/serve.ts";
import type { BaseServer } from "../../server/server.ts";
import { HostedServer } from "../hosted-server.ts";
import {
  checkHostOptions,
  DEFAULT_MAX_UNREAD_BYTES,
  type HostOptions,
  toIdleTimeoutSeconds,
} from "../native/options.ts";
import { HostSource } from "../native/source.ts";
import { type BunServer, type BunWebSocketHandlers, bunSide, bunWebSocketHandlers } from "./bun.ts";
import { type DenoInfo, denoSide } from "./deno.ts";
import { FetchExchange } from "./exchange.ts";
import { type ServerSide, UNKNOWN_SERVER } from "./server-side.ts";

/** Channels inside a server that stays yours: `createFetchHost` returns them. */
export interface FetchHost extends BaseServer {
  /**
   * Answers one request with a handler as `serve` takes it. `server` is the second argument of the server's own handler: Bun's
   * `Server`, Deno's `info`; without it there are no WebSockets and no addresses. On Bun the answer to a WebSocket is undefined,
   * which Bun.serve expects. Throws NOT_OUR_REQUEST if `request` is no `Request`, BAD_OPTION for a wrong handler, and
   * ALREADY_ANSWERED for a request that a host has answered before.
   */
  respond(
    request: Request,
    server: unknown,
    handler: Handler | { readonly fetch: FetchHandler },
  ): Response | Promise<Response>;
  /** Returns a Fetch handler that answers all its requests with `handler`. Throws BAD_OPTION for a wrong handler. */
  fetch(
    handler: Handler | { readonly fetch: FetchHandler },
  ): (request: Request, server?: unknown) => Response | Promise<Response>;
  /** For `Bun.serve({ websocket })`. It ignores WebSockets that are not ours. */
  readonly websocket: BunWebSocketHandlers;
}

/** The property of a request that a host answers. */
const ANSWERED = Symbol("unichannel.answered");

type OwnedRequest = Request & { [ANSWERED]?: true };

/**
 * Makes a host for channels inside Bun.serve, Deno.serve and other servers that answer a Fetch `Request` with a `Response`. Made
 * once for a server. Throws BAD_OPTION.
 */
export function createFetchHost(options: HostOptions = {}): FetchHost {
  return new OwnFetchHost(options);
}

class OwnFetchHost extends HostedServer implements FetchHost {
  readonly exchanges: ExchangeServer;
  readonly websocket: BunWebSocketHandlers;
  readonly #source: HostSource;
  readonly #idleTimeoutSeconds: number;
  readonly #bunSides = new WeakMap<BunServer, ServerSide>();

  constructor(options: HostOptions) {
    super();
    checkHostOptions("createFetchHost", options);
    const { maxUnreadBytes = DEFAULT_MAX_UNREAD_BYTES, ...others } = options;
    this.exchanges = new ExchangeServer(() => undefined, others, { shownAs: this });
    this.#source = new HostSource(this.exchanges, maxUnreadBytes);
    this.#idleTimeoutSeconds = toIdleTimeoutSeconds(options);
    this.websocket = bunWebSocketHandlers(this.exchanges.limits.maxMessageBytes);
    this.exchanges.start(this.#source);
  }

  fetch(
    handler: Handler | { readonly fetch: FetchHandler },
  ): (request: Request, server?: unknown) => Response | Promise<Response> {
    checkRequestHandler("fetch", handler);
    const own = toHandler(handler);
    return (request, server) => this.#respond(request, server, own);
  }

  respond(
    request: Request,
    server: unknown,
    handler: Handler | { readonly fetch: FetchHandler },
  ): Response | Promise<Response> {
    checkRequestHandler("respond", handler);
    return this.#respond(request, server, toHandler(handler));
  }

  #respond(request: Request, server: unknown, handler: Handler): Response | Promise<Response> {
    if (typeof request?.url !== "string" || !(request.headers instanceof Headers)) {
      throw new ChannelError("NOT_OUR_REQUEST", "pass the Fetch Request that the server gave (in Hono: c.req.raw)");
    }
    const side = this.#sideOf(server);
    if ((request as OwnedRequest)[ANSWERED] === true) {
      throw new ChannelError(
        "ALREADY_ANSWERED",
        "a fetch host has answered this request before: answer it once, and return that response",
      );
    }
    (request as OwnedRequest)[ANSWERED] = true;
    const exchange = new FetchExchange(this.#source, request, side);
    this.#source.serve(exchange, handler);
    // Bun expects undefined if it has switched to a WebSocket; its types do not say so.
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
