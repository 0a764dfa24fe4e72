// TLS below the engine: what `tls.createServer` gets beside the user's options, and new certificates for a server that
// runs.

import type { TcpNetConnectOpts } from "node:net";
import {
  createSecureContext,
  createServer,
  type SecureContextOptions,
  type TLSSocket,
  type TlsOptions,
  type Server as TlsServer,
} from "node:tls";
import { ChannelError } from "../base/errors.ts";

/**
 * RFC 7301: a client that offers protocols is told which one it will be, and one that offers none of these is refused
 * (§3.2). nginx answers the same two.
 */
const PROTOCOLS = ["http/1.1", "http/1.0"];

/** The longest that a timer of Node can be set for. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The user's options with the socket settings of the engine. A handshake may take as long as the head behind it. */
export function toTlsOptions(
  options: TlsOptions,
  settings: Partial<TcpNetConnectOpts>,
  headerTimeoutMs: number,
): TlsOptions {
  const { ALPNProtocols, ALPNCallback } = options;
  const alpn = (ALPNProtocols ?? ALPNCallback) === undefined ? { ALPNProtocols: PROTOCOLS } : {};
  const handshakeTimeout = Math.max(1, Math.min(headerTimeoutMs, MAX_TIMEOUT_MS));
  return { handshakeTimeout, ...options, ...alpn, ...settings };
}

/** Throws BAD_OPTION, with OpenSSL's own words, for a certificate or key that is none. */
export function createTls(options: TlsOptions, onSocket: (socket: TLSSocket) => void): TlsServer {
  const server = orBadOption(() => createServer(options, onSocket));
  // Node says so and leaves it to us: without this, who never finishes a handshake would keep a socket for ever.
  server.on("tlsClientError", (_, socket) => socket.destroy());
  return server;
}

/** New connections get these; those that are open go on with what they have. Throws BAD_OPTION and changes nothing. */
export function renewTls(server: TlsServer, options: SecureContextOptions): void {
  // `setSecureContext` may leave half of it set when it throws: this finds out before.
  orBadOption(() => createSecureContext(options));
  server.setSecureContext(options);
}

function orBadOption<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new ChannelError("BAD_OPTION", `tls: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}
