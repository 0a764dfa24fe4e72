// The header of a relayed connection: the client's address and scheme, and the secret that the processes of a service share.
// It is a PROXY header, version 2 (haproxy's doc/proxy-protocol.txt §2.2), in front of one request.

import { timingSafeEqual } from "node:crypto";
import { utf8Bytes } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import { encodeProxyHeader, extensionsOf } from "../../codec/proxy-protocol.ts";

/** §2.2.7: PP2_TYPE_SSL; its first byte has the bit PP2_CLIENT_SSL. */
const TYPE_SSL = 0x20;
const CLIENT_SSL = Uint8Array.of(0x01, 0, 0, 0, 0);
/** §2.2.8: the first of the types for use inside a service. */
const TYPE_SECRET = 0xe0;

/** The end of the client's connection, as the process that accepted it sees it. */
export interface RelayedClient {
  /** Undefined on a Unix socket. */
  readonly remoteAddress: string | undefined;
  readonly isEncrypted: boolean;
}

export function encodeRelayHeader({ remoteAddress, isEncrypted }: RelayedClient, secret: string): Uint8Array {
  const tls = isEncrypted ? [[TYPE_SSL, CLIENT_SSL] as const] : [];
  return encodeProxyHeader({
    sourceAddress: remoteAddress,
    extensions: [[TYPE_SECRET, utf8Bytes(secret)], ...tls],
  });
}

/** Returns whether the client uses TLS. Throws BAD_REQUEST if the secret is missing or another one. */
export function readRelayExtensions(extensions: Uint8Array, secret: string): { readonly isEncrypted: boolean } {
  const found = extensionsOf(extensions);
  const given = found.get(TYPE_SECRET);
  const wanted = utf8Bytes(secret);
  if (given === undefined || given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw new ChannelError("BAD_REQUEST", "a relayed connection without the secret of this service");
  }
  return { isEncrypted: ((found.get(TYPE_SSL)?.[0] ?? 0) & 1) === 1 };
}
