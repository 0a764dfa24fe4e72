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
import { checkNearNames } from "../base/option-names.ts";

/**
 * RFC 7301: a client that offers protocols is told which one it will be, and one that offers none of these is refused
 * (§3.2). nginx answers the same two.
 */
const PROTOCOLS = ["http/1.1", "http/1.0"];

/** The options of `tls.createServer` and `tls.createSecureContext` in Node 20 to 26. */
const NAMES =
  "ALPNCallback ALPNProtocols SNICallback allowHalfOpen allowPartialTrustChain blockList ca cert ciphers clientCertEngine crl " +
  "dhparam ecdhCurve enableTrace handshakeTimeout highWaterMark honorCipherOrder keepAlive keepAliveInitialDelay key maxVersion " +
  "minVersion noDelay passphrase pauseOnConnect pfx privateKeyEngine privateKeyIdentifier pskCallback pskIdentityHint " +
  "rejectUnauthorized requestCert requestOCSP secureContext secureOptions secureProtocol sessionIdContext sessionTimeout sigalgs " +
  "ticketKeys";

/** Throws BAD_OPTION for a name that is nearly one of Node's. */
export function checkTlsNames(options: unknown): void {
  checkNearNames("tls", options, NAMES.split(" "));
}

/** The user's options with the socket settings of the engine, and its limit for a handshake where the user has none. */
export function toTlsOptions(
  options: TlsOptions,
  settings: Partial<TcpNetConnectOpts>,
  handshakeTimeout: number,
): TlsOptions {
  checkTlsNames(options);
  const { ALPNProtocols, ALPNCallback } = options;
  const alpn = (ALPNProtocols ?? ALPNCallback) === undefined ? { ALPNProtocols: PROTOCOLS } : {};
  return { handshakeTimeout, ...options, ...alpn, ...settings };
}

/** Throws BAD_OPTION, with OpenSSL's own words, for a certificate or key that is none. */
export function createTls(options: TlsOptions, onSocket: (socket: TLSSocket) => void): TlsServer {
  const server = orBadOption(() => createServer(options, onSocket));
  // Of a handshake that takes too long Node only tells.
  server.on("tlsClientError", (_error, socket) => socket.destroy());
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
