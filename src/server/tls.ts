// TLS of the engine: the options of `tls.createServer`, and new certificates for a running server. Loaded with the option `tls`
// alone: node:tls is a tenth of what the whole library costs to load.

import type { TcpNetConnectOpts } from "node:net";
import { createSecureContext, createServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from "node:tls";
import { guardTlsCallbacks } from "./tls-callbacks.ts";
import { checkTls, orBadOption, renewedTls, type TlsRenewal } from "./tls-options.ts";

export { validityWarning } from "./tls-options.ts";

/**
 * The protocols for ALPN (RFC 7301). A client that offers protocols is told which of these is chosen, and refused if it offers
 * none of them (§3.2). nginx has the same two.
 */
const PROTOCOLS = ["http/1.1", "http/1.0"];

/** The protocols by the versions of HTTP that the server speaks. The first that a client offers, too, is chosen. */
const OFFERS = { http1: PROTOCOLS, http1And2: ["h2", ...PROTOCOLS] };

/**
 * Adds the engine's socket settings, protocols and handshake limit to the user's options. Throws BAD_OPTION for options with
 * which no handshake could succeed. `report` receives exceptions of the user's callbacks.
 */
export function toTlsOptions(
  options: TlsOptions,
  settings: Partial<TcpNetConnectOpts>,
  handshakeTimeout: number,
  report: (error: unknown) => void,
  protocols: "http1" | "http1And2" = "http1",
): TlsOptions {
  const given = guardTlsCallbacks(checkTls(options), report);
  const alpn = (given.ALPNProtocols ?? given.ALPNCallback) === undefined ? { ALPNProtocols: OFFERS[protocols] } : {};
  return { handshakeTimeout, ...given, ...alpn, ...settings };
}

/** Throws BAD_OPTION, with OpenSSL's text, for a certificate or key that OpenSSL refuses. */
export function createTls(options: TlsOptions, onSocket: (socket: TLSSocket) => void): TlsServer {
  const server = orBadOption(() => createServer(options, onSocket));
  // Node only reports a handshake that takes too long.
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return server;
}

/** Sets new options for new connections; open ones go on. Returns them all. If it throws BAD_OPTION, nothing has changed. */
export function renewTls(server: TlsServer, current: TlsOptions, renewal: TlsRenewal): TlsOptions {
  const renewed = renewedTls(current, renewal);
  // `setSecureContext` may leave half of the options set when it throws. This throws first.
  orBadOption(() => createSecureContext(renewed));
  try {
    orBadOption(() => server.setSecureContext(renewed));
  } catch (error) {
    server.setSecureContext(current);
    throw error;
  }
  return renewed;
}
