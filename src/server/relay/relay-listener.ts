// The listener for the other processes of the service: each connection brings one request of a client whose session is here.
// It begins with the header of `relay-header.ts`; without the service's secret it is dropped.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ChannelError } from "../../base/errors.ts";
import { checkSocketPath } from "../../base/socket-path.ts";
import type { ProxyProtocolHeader } from "../../codec/proxy-protocol.ts";
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
  #path: string | undefined;

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
    if (tcp === undefined) this.#path = await newSocketPath();
    const address = tcp === undefined ? { path: this.#path } : { host: tcp.host, port: tcp.port ?? 0 };
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
    return unixAddress(this.#path!);
  }

  /** Accepts nothing more, and drops what is open. Resolves when all is closed. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#netServer.close(() => resolve()));
    await this.connections.dropConnections();
    await closed;
    if (this.#path !== undefined) await rm(dirname(this.#path), { recursive: true, force: true });
  }
}

async function newSocketPath(): Promise<string> {
  const prefix = join(tmpdir(), "unichannel-");
  checkSocketPath(join(`${prefix}XXXXXX`, SOCKET_NAME));
  // `mkdtemp` makes a folder of mode 0700: no other user of the machine gets to the socket.
  return join(await mkdtemp(prefix), SOCKET_NAME);
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
