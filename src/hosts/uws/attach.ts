// `attachUws`: channels inside an application of uWebSockets.js.

import { utf8 } from "../../base/bytes.ts";
import { badOption } from "../../base/option-values.ts";
import type { Handler } from "../../request/handle.ts";
import { checkRequestHandler } from "../../server/check-options.ts";
import { ExchangeServer } from "../../server/exchange-server.ts";
import type { FetchHandler } from "../../server/options.ts";
import { toHandler } from "../../server/serve.ts";
import type { BaseServer } from "../../server/server.ts";
import { HostedServer } from "../hosted-server.ts";
import { checkHostOptions, DEFAULT_MAX_UNREAD_BYTES, type HostOptions } from "../native/options.ts";
import { HostSource } from "../native/source.ts";
import type { HostWebSocket } from "../native/transport.ts";
import { TRANSPORT, UwsExchange } from "./exchange.ts";
import { toEnd, UwsHostSocket } from "./socket.ts";
import type { UwsApp, UwsContext, UwsRequest, UwsResponse, UwsSocket } from "./types.ts";

/** The options of `attachUws`: those of `serve` that do not belong to uWebSockets.js. */
export interface AttachUwsOptions extends HostOptions {
  /** True for an `SSLApp`: the scheme of requests is then https. @default false */
  readonly isEncrypted?: boolean;
}

/** Channels inside an application that stays yours: `attachUws` returns them. */
export interface AttachedUws extends BaseServer {
  /**
   * Answers the requests of a pattern of uWebSockets.js (`"/live"`, `"/live/*"`) with a handler as `serve` takes it, WebSockets
   * among them. Called before the application listens. Throws BAD_OPTION for a wrong pattern or handler.
   */
  route(pattern: string, handler: Handler | { readonly fetch: FetchHandler }): this;
}

/**
 * Brings channels into an application of uWebSockets.js that is yours: its WebSockets carry them, and its HTTP carries event
 * streams, streaming, long polls and sessions. Throws BAD_OPTION.
 */
export function attachUws(app: UwsApp, options: AttachUwsOptions = {}): AttachedUws {
  return new OwnAttachedUws(app, options);
}

type WithTransport = UwsSocket & { [TRANSPORT]?: HostWebSocket };

class OwnAttachedUws extends HostedServer implements AttachedUws {
  readonly exchanges: ExchangeServer;
  readonly #app: UwsApp;
  readonly #source: HostSource;
  readonly #isEncrypted: boolean;

  constructor(app: UwsApp, options: AttachUwsOptions) {
    super();
    if (typeof app?.any !== "function" || typeof app.ws !== "function") {
      throw badOption("attachUws takes the application of uWebSockets.js: uWS.App() or uWS.SSLApp(…)");
    }
    checkHostOptions("attachUws", options, ["isEncrypted"]);
    const { maxUnreadBytes = DEFAULT_MAX_UNREAD_BYTES, isEncrypted = false, ...others } = options;
    this.exchanges = new ExchangeServer(() => undefined, others, { shownAs: this });
    this.#app = app;
    this.#isEncrypted = isEncrypted;
    this.#source = new HostSource(this.exchanges, maxUnreadBytes);
    this.exchanges.start(this.#source);
  }

  route(pattern: string, handler: Handler | { readonly fetch: FetchHandler }): this {
    if (typeof pattern !== "string" || !pattern.startsWith("/")) throw badOption('a pattern begins with "/"');
    checkRequestHandler("route", handler);
    const own = toHandler(handler);
    const serve = (response: UwsResponse, request: UwsRequest, context?: UwsContext): void => {
      const exchange = new UwsExchange(this.#source, { request, response, context }, this.#isEncrypted);
      this.#source.serve(exchange, own);
    };
    const { maxMessageBytes } = this.exchanges.limits;
    this.#app.ws(pattern, { ...behavior(maxMessageBytes), upgrade: serve } as never);
    this.#app.any(pattern, (response: UwsResponse, request: UwsRequest) => serve(response, request));
    return this;
  }
}

function behavior(maxMessageBytes: number): object {
  return {
    compression: 0,
    maxPayloadLength: Math.min(maxMessageBytes, 0x7fff_ffff),
    // Our own limits and heartbeats apply.
    maxBackpressure: 0,
    idleTimeout: 0,
    sendPingsAutomatically: false,
    open(socket: WithTransport) {
      const transport = (socket.getUserData() as WithTransport)[TRANSPORT]!;
      socket[TRANSPORT] = transport;
      transport.socketOpened(new UwsHostSocket(socket));
    },
    message(socket: WithTransport, message: ArrayBuffer, isBinary: boolean) {
      // uWebSockets.js reuses the memory after this call, so it is copied.
      const bytes = Buffer.from(message);
      socket[TRANSPORT]!.socketMessage(isBinary ? new Uint8Array(bytes) : bytes.toString());
    },
    drain: (socket: WithTransport) => socket[TRANSPORT]!.socketDrained(),
    close: (socket: WithTransport, code: number, reason: ArrayBuffer) =>
      socket[TRANSPORT]?.socketClosed(toEnd(code, utf8(new Uint8Array(reason)))),
    ping: (socket: WithTransport, data: ArrayBuffer) => socket[TRANSPORT]!.socketPing(new Uint8Array(data.slice(0))),
    pong: (socket: WithTransport, data: ArrayBuffer) => socket[TRANSPORT]!.socketPong(new Uint8Array(data.slice(0))),
  };
}
