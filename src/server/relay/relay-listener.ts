// The listener for the other processes of the service: each connection brings one request of a client whose session is here.
// It begins with the header of `relay-header.ts`; without the service's secret it is dropped.

import { createServer, type Server as NetServer, type Socket } from "node:net";
import { ChannelError } from "../../base/errors.ts";
import type { ProxyProtocolHeader } from "../../codec/proxy-protocol.ts";
import { PrivateSocket } from "../../machine/private-socket.ts";
import type { Exchange } from "../../transport/exchange.ts";
import type { ExchangeContext } from "../../transport/exchange-context.ts";
import { ProxyListener } from "../../transport/io/proxy-listener.ts";
import { Connections, type Front } from "../connections.ts";
import type { ExchangeServer } from "../exchange-server.ts";
import type { NetStream } from "../net-stream.ts";
import { tcpAddress, unixAddress } from "./relay-address.ts";
import { readRelayExtensions } from "./relay-header.ts";
import type { RelayOptions } from "./relay-options.ts";

const SOCKET_NAME = "relay.sock";
const SOCKET_SETTINGS = { allowHalfOpen: true, noDelay: true };

export interface RelayListenerOptions {
  readonly server: ExchangeServer;
  /** Undefined: a Unix socket in the folder for temporary files. */
  readonly tcp: RelayOptions | undefined;
  /** The secret of the service; undefined until it is known, and nobody is let in. */
  readonly secret: () => string | undefined;
  /** A request has arrived. */
  readonly onExchange: (exchange: Exchange) => void;
}

export class RelayListener {
  readonly connections: Connections;
  readonly #options: RelayListenerOptions;
  readonly #netServer: NetServer;
  /** Undefined on TCP. */
  #socket: PrivateSocket | undefined;

  constructor(options: RelayListenerOptions) {
    this.#options = options;
    const { server, onExchange } = options;
    this.connections = new Connections(server, "atAccept", relayContext(server, onExchange));
    this.connections.front = new RelayFront(this.connections, options.secret);
    this.#netServer = createServer(SOCKET_SETTINGS, (socket: Socket) => this.connections.accept(socket));
  }

  /** Resolves to the address at which other processes reach it. Rejects with Node's own error, or BAD_OPTION. */
  async listen(): Promise<string> {
    const { tcp, server } = this.#options;
    const netServer = this.#netServer;
    if (tcp === undefined) this.#socket = await PrivateSocket.make(SOCKET_NAME);
    const address = tcp === undefined ? { path: this.#socket!.path } : { host: tcp.host, port: tcp.port ?? 0 };
    await new Promise<void>((resolve, reject) => {
      netServer.once("error", reject);
      // The workers of node:cluster would share one port, and get each other's requests.
      netServer.listen({ ...address, exclusive: true }, resolve);
    });
    netServer.removeAllListeners("error");
    netServer.on("error", (error) => server.report(error, { source: "listener" }));
    // A process with nothing else to do may end.
    netServer.unref();
    const bound = netServer.address();
    if (typeof bound === "object" && bound !== null) return tcpAddress(tcp?.host ?? bound.address, bound.port);
    return unixAddress(this.#socket!.path);
  }

  /** Accepts nothing more, and drops what is open. Resolves when all is closed. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#netServer.close(() => resolve()));
    await this.connections.dropConnections();
    await closed;
    await this.#socket?.remove();
  }
}

/** The context of relayed requests: that of the server, but for the place where a request goes. */
function relayContext(server: ExchangeServer, onExchange: (exchange: Exchange) => void): ExchangeContext {
  const { http, clock, flusher, received, closeTimeoutMs, timeouts } = server;
  return {
    ...{ http, clock, flusher, received, closeTimeoutMs, timeouts, onExchange },
    onExchangeEnd: (exchange, status) => server.onExchangeEnd(exchange, status),
    onExchangeCut: (exchange, status) => server.onExchangeCut(exchange, status),
    corsFieldsOf: (exchange) => server.corsFieldsOf(exchange),
    onRefusal: (error) => server.onRefusal(error),
  };
}

/** Reads the header of each connection. */
class RelayFront implements Front {
  readonly #connections: Connections;
  readonly #secret: () => string | undefined;

  constructor(connections: Connections, secret: () => string | undefined) {
    this.#connections = connections;
    this.#secret = secret;
  }

  accept(stream: NetStream): void {
    stream.listener = new ProxyListener(stream, "required", {
      headerRead: (header, rest, extensions) => this.#begin(stream, { header, extensions }, rest),
      headerRefused: () => stream.destroy(),
    });
  }

  #begin(stream: NetStream, { header, extensions }: ReadHeader, rest: Uint8Array | undefined): void {
    try {
      const secret = this.#secret();
      if (secret === undefined) throw new ChannelError("BAD_REQUEST", "the secret of this service is not known yet");
      const { isEncrypted } = readRelayExtensions(extensions, secret);
      const remoteAddress = typeof header === "string" ? undefined : header.sourceAddress;
      const driver = this.#connections.beginHttp(stream, { remoteAddress, isEncrypted });
      if (rest !== undefined) driver.onBytes(rest);
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      stream.destroy();
    }
  }
}

interface ReadHeader {
  readonly header: ProxyProtocolHeader;
  readonly extensions: Uint8Array;
}
