// Reads the PROXY header with which connections may begin, before TLS and HTTP.

import type { Socket } from "node:net";
import type { TLSSocket, Server as TlsServer } from "node:tls";
import { ChannelError } from "../base/errors.ts";
import type { ProxyProtocolHeader } from "../codec/proxy-protocol.ts";
import type { Http1Driver } from "../transport/http1/driver.ts";
import type { ClientConnection } from "../transport/http1/exchange.ts";
import { ProxyListener } from "../transport/io/proxy-listener.ts";
import { addressOf } from "./address.ts";
import type { NetStream } from "./net-stream.ts";
import { checkProxyOptions, type ServeOptions } from "./options.ts";
import type { ProxyMatcher } from "./trusted-proxies.ts";

/** The connections in front of which the header stands. */
export interface ProxyFrontOwner {
  /** Makes and counts the stream of a socket. Undefined if there is no room for it: the socket has got an answer then. */
  openStream(socket: Socket): NetStream | undefined;
  /** Counts the connection for its address; false if the address has too many. */
  admit(connection: NetStream | Socket, address: string | undefined): boolean;
  /** Answers that there is no room. */
  turnAway(stream: NetStream): void;
  /** Begins HTTP on the stream. `bytes`: the same stream as it looks to HTTP. */
  beginHttp(stream: NetStream, client?: ClientConnection): Http1Driver;
  /** Begins HTTP/2 on a socket after its TLS handshake; false if that has not chosen HTTP/2. */
  beginHttp2(socket: Socket, remoteAddress: string | undefined): boolean;
  /** The stream is given up: its socket belongs to TLS now. */
  streamClosed(stream: NetStream): void;
}

/** Makes a TLS server that calls back for each socket whose handshake is done. */
export type MakeTls = (onSocket: (socket: TLSSocket) => void) => TlsServer;

/** Undefined where connections have no PROXY header. Throws BAD_OPTION. `makeTls`: TLS follows the header. */
export function toProxyFront(
  options: ServeOptions,
  isProxy: ProxyMatcher | undefined,
  makeTls: MakeTls | undefined,
  owner: ProxyFrontOwner,
): ProxyFront | undefined {
  checkProxyOptions(options);
  const { proxyProtocol = "off" } = options;
  if (isProxy === undefined || proxyProtocol === "off") return undefined;
  return new ProxyFront(proxyProtocol, isProxy, makeTls, owner);
}

export class ProxyFront {
  readonly #header: "required" | "optional";
  readonly #isProxy: ProxyMatcher;
  readonly #tls: ProxiedTls | undefined;
  readonly #owner: ProxyFrontOwner;

  constructor(
    header: "required" | "optional",
    isProxy: ProxyMatcher,
    makeTls: MakeTls | undefined,
    owner: ProxyFrontOwner,
  ) {
    this.#header = header;
    this.#isProxy = isProxy;
    this.#owner = owner;
    if (makeTls === undefined) return;
    this.#tls = new ProxiedTls(makeTls, (socket, header) => {
      if (owner.beginHttp2(socket, clientOf(addressOf(socket), header))) return;
      const stream = owner.openStream(socket);
      if (stream !== undefined) this.#beginHttp(stream, header);
    });
  }

  /** Makes the handshakes; undefined if no TLS follows the header. */
  get tlsServer(): TlsServer | undefined {
    return this.#tls?.server;
  }

  /** Gives the stream of a new connection its listener. */
  accept(stream: NetStream): void {
    stream.listener = new ProxyListener(stream, this.#header, {
      headerRead: (header, rest) => this.#begin(stream, header, rest),
      headerRefused: (error) => this.#refuse(stream, error),
    });
    if (this.#isProxy(stream.remoteAddress)) return;
    if (this.#header === "required") {
      this.#refuse(stream, new ChannelError("BAD_REQUEST", "connections are accepted from trustedProxies only"));
    } else {
      // The PROXY header of another peer is read as HTTP, and gets a 400.
      this.#begin(stream, "absent", undefined);
    }
  }

  #begin(stream: NetStream, header: ProxyProtocolHeader, rest: Uint8Array | undefined): void {
    const address = clientOf(stream.remoteAddress, header);
    if (this.#tls === undefined) {
      if (this.#owner.admit(stream, address)) {
        const driver = this.#beginHttp(stream, header);
        if (rest !== undefined) driver.onBytes(rest);
      } else this.#owner.turnAway(stream);
      return;
    }
    const socket = stream.release(rest);
    this.#owner.streamClosed(stream);
    if (this.#owner.admit(socket, address)) this.#tls.handshake(socket, header);
    else socket.destroy();
  }

  #refuse(stream: NetStream, error: ChannelError): void {
    // A client that waits for a TLS handshake could not read an answer.
    if (this.#tls !== undefined) stream.destroy();
    else this.#owner.beginHttp(stream).refuse(error);
  }

  /**
   * Begins HTTP with the client that the header names. If the proxy knows no address of its client, the request has none: the
   * proxy's own address would lend the client its trust.
   */
  #beginHttp(stream: NetStream, header: ProxyProtocolHeader): Http1Driver {
    const isOwn = header === "local" || header === "absent";
    const { isEncrypted } = stream;
    const client = isOwn ? stream : { remoteAddress: clientOf(stream.remoteAddress, header), isEncrypted };
    return this.#owner.beginHttp(stream, client);
  }
}

function clientOf(peer: string | undefined, header: ProxyProtocolHeader): string | undefined {
  if (header === "local" || header === "absent") return peer;
  return typeof header === "string" ? undefined : header.sourceAddress;
}

/** Runs TLS handshakes behind a PROXY header, which is not encrypted: a TLS server that does not listen itself. */
class ProxiedTls {
  readonly server: TlsServer;
  /** The header of each connection that is in its handshake, by the addresses of the connection. */
  readonly #headers = new Map<string, ProxyProtocolHeader>();

  constructor(makeTls: MakeTls, onSocket: (socket: TLSSocket, header: ProxyProtocolHeader) => void) {
    this.server = makeTls((socket) => {
      const header = this.#take(endsOf(socket));
      // Without its header, as when the connection below is gone already, the client could pass for the proxy.
      if (header === undefined) socket.destroy();
      else onSocket(socket, header);
    });
  }

  handshake(socket: Socket, header: ProxyProtocolHeader): void {
    // Node gives no way from a TLS socket to the one below it: both have the same addresses.
    const ends = endsOf(socket);
    this.#headers.set(ends, header);
    socket.once("close", () => this.#headers.delete(ends));
    this.server.emit("connection", socket);
  }

  #take(ends: string): ProxyProtocolHeader | undefined {
    const header = this.#headers.get(ends);
    this.#headers.delete(ends);
    return header;
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
