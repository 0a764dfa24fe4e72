// The compression of a WebSocketConnection: RFC 7692 §7.2. `transport/compression` implements it with zlib.

export interface Compression {
  /** Returns the payload of the compressed message; undefined if this message is sent uncompressed. */
  deflate(data: string | Uint8Array): Uint8Array | undefined;
  /** Throws MESSAGE_TOO_BIG as soon as there are more than `maxBytes`, and BAD_DEFLATE for malformed input. */
  inflate(payload: Uint8Array, maxBytes: number): Uint8Array;
  key(data: string | Uint8Array): CompressionKey;
}

/**
 * All compressions with the same number make the same payload of a message. `"uncompressed"`: the message is sent as it is.
 * `"dependent"`: the payload depends on earlier messages of the connection.
 */
export type CompressionKey = number | "uncompressed" | "dependent";
