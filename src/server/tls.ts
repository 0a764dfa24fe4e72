// TLS below the engine: what `tls.createServer` gets beside the user's options, and new certificates for a server that
// runs.

import type { TcpNetConnectOpts } from "node:net";
import { createSecureContext, createServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from "node:tls";
import { guardTlsCallbacks } from "./tls-callbacks.ts";
import { checkTls, orBadOption } from "./tls-options.ts";

/**
 * RFC 7301: a client that offers protocols is told which one it will be, and one that offers none of these is refused
 * (§3.2). nginx answers the same two.
 */
const PROTOCOLS = ["http/1.1", "http/1.0"];

/**
 * The user's options with the socket settings of the engine, and its limit for a handshake where the user has none. Throws
 * BAD_OPTION where no handshake could succeed. `report` is told of what the user's callbacks throw.
 */
export function toTlsOptions(
  options: TlsOptions,
  settings: Partial<TcpNetConnectOpts>,
  handshakeTimeout: number,
  report: (error: unknown) => void,
): TlsOptions {
  const given = guardTlsCallbacks(checkTls(options), report);
  const alpn = (given.ALPNProtocols ?? given.ALPNCallback) === undefined ? { ALPNProtocols: PROTOCOLS } : {};
  return { handshakeTimeout, ...given, ...alpn, ...settings };
}

/** Throws BAD_OPTION, with OpenSSL's own words, for a certificate or key that is none. */
export function createTls(options: TlsOptions, onSocket: (socket: TLSSocket) => void): TlsServer {
  const server = orBadOption(() => createServer(options, onSocket));
  // Of a handshake that takes too long Node only tells.
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return server;
}

/** New connections get these; those that are open go on with what they have. Throws BAD_OPTION and changes nothing. */
export function renewTls(server: TlsServer, current: TlsOptions, renewed: TlsOptions): void {
  // `setSecureContext` may leave half of it set when it throws: this finds out before.
  orBadOption(() => createSecureContext(renewed));
  try {
    orBadOption(() => server.setSecureContext(renewed));
  } catch (error) {
    server.setSecureContext(current);
    throw error;
  }
}
