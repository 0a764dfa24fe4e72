// Where connections may begin with a PROXY header: what stands between a new connection and HTTP.

import type { Socket } from "node:net";
import type { TLSSocket, TlsOptions, Server as TlsServer } from "node:tls";
import { ChannelError } from "../base/errors.ts";
import type { ProxyHeader } from "../codec/proxy-protocol.ts";
import { type Http1Context, Http1Driver } from "../transport/http1/driver.ts";
import { ProxiedStream, ProxyListener } from "../transport/io/proxy-stream.ts";
import type { NetStream, NetStreamOwner } from "./net-stream.ts";
import { checkProxyOptions, type ServeOptions } from "./options.ts";
import { createTls } from "./tls.ts";
import type { Trust } from "./trusted-proxies.ts";

/** What the front needs of the server. */
export interface ProxyFrontServer extends Http1Context, NetStreamOwner {
  /** The socket's stream, counted; undefined if there is no room for it: the socket has been answered then. */
  openStream(socket: Socket): NetStream | undefined;
  /** Counts the connection; false if there are too many from its address. */
  admits(connection: NetStream | Socket, address: string | undefined): boolean;
  /** Answers that there is no room. */
  turnAway(stream: NetStream): void;
  /** Its PROXY header is read, or there is none: HTTP begins. */
  connectionOpened(stream: NetStream): void;
}

/** Undefined where connections have no PROXY header. Throws BAD_OPTION. `tls`: TLS follows the header. */
export function toProxyFront(
  options: ServeOptions,
  trusts: Trust | undefined,
  tls: TlsOptions | undefined,
  server: ProxyFrontServer,
): ProxyFront | undefined {
  checkProxyOptions(options);
  const { proxyProtocol = "off" } = options;
  if (trusts === undefined || proxyProtocol === "off") return undefined;
  return new ProxyFront(proxyProtocol === "required", trusts, tls, server);
}

export class ProxyFront {
  readonly #isRequired: boolean;
  readonly #trusts: Trust;
  readonly #tls: ProxiedTls | undefined;
  readonly #server: ProxyFrontServer;

  constructor(isRequired: boolean, trusts: Trust, tls: TlsOptions | undefined, server: ProxyFrontServer) {
    this.#isRequired = isRequired;
    this.#trusts = trusts;
    this.#server = server;
    if (tls === undefined) return;
    this.#tls = new ProxiedTls(tls, (socket, header) => {
      const stream = server.openStream(socket);
      if (stream !== undefined) beginHttp(stream, header, server);
    });
  }

  /** What the handshakes are made with, where TLS follows the header. */
  get tlsServer(): TlsServer | undefined {
    return this.#tls?.server;
  }

  /** A new connection: gives the stream its listener. */
  accept(stream: NetStream): void {
    stream.listener = new ProxyListener(stream, this.#isRequired, {
      headerRead: (header, rest) => this.#begin(stream, header, rest),
      headerRefused: (error) => this.#refuse(stream, error),
    });
    if (this.#trusts(stream.remoteAddress)) return;
    if (this.#isRequired) {
      this.#refuse(stream, new ChannelError("BAD_REQUEST", "connections are accepted from trustedProxies only"));
    } else {
      // A PROXY header from here is read as HTTP, and is none.
      this.#begin(stream, "absent", undefined);
    }
  }

  #begin(stream: NetStream, header: ProxyHeader, rest: Uint8Array | undefined): void {
    const address = clientOf(stream, header);
    if (this.#tls === undefined) {
      if (this.#server.admits(stream, address)) {
        const driver = beginHttp(stream, header, this.#server);
        if (rest !== undefined) driver.onBytes(rest);
      } else this.#server.turnAway(stream);
      return;
    }
    const socket = stream.release(rest);
    this.#server.streamClosed(stream);
    if (this.#server.admits(socket, address)) this.#tls.handshake(socket, header);
    else socket.destroy();
  }

  #refuse(stream: NetStream, error: ChannelError): void {
    // Who waits for a TLS handshake could not read it.
    if (this.#tls !== undefined) stream.destroy();
    else beginHttp(stream, "absent", this.#server).refuse(error);
  }
}

function clientOf(stream: NetStream, header: ProxyHeader): string | undefined {
  if (header === "local" || header === "absent") return stream.remoteAddress;
  return typeof header === "string" ? undefined : header.sourceAddress;
}

/**
 * HTTP for whom the header names. A proxy that knows no address of its client leaves us without one: the proxy's own
 * would lend the client its trust.
 */
function beginHttp(stream: NetStream, header: ProxyHeader, server: ProxyFrontServer): Http1Driver {
  const isOwn = header === "local" || header === "absent";
  const driver = new Http1Driver(isOwn ? stream : new ProxiedStream(stream, clientOf(stream, header)), server);
  stream.listener = driver;
  server.connectionOpened(stream);
  return driver;
}

/** TLS behind a PROXY header, which comes in the clear: a server that does not listen itself. */
class ProxiedTls {
  readonly server: TlsServer;
  /** What was read of each connection that is in its handshake, by its two ends. */
  readonly #headers = new Map<string, ProxyHeader>();

  constructor(options: TlsOptions, onSocket: (socket: TLSSocket, header: ProxyHeader) => void) {
    this.server = createTls(options, (socket) => {
      const header = this.#take(endsOf(socket));
      // Without its header, as when it is gone already, it could pass for the proxy.
      if (header === undefined) socket.destroy();
      else onSocket(socket, header);
    });
  }

  handshake(socket: Socket, header: ProxyHeader): void {
    // Node gives no way from a TLS socket to the one below it, so they find each other by their ends.
    const ends = endsOf(socket);
    this.#headers.set(ends, header);
    socket.once("close", () => this.#headers.delete(ends));
    this.server.emit("connection", socket);
  }

  #take(ends: string): ProxyHeader | undefined {
    const header = this.#headers.get(ends);
    this.#headers.delete(ends);
    return header;
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
