// The compression of a WebSocketConnection: RFC 7692 §7.2. `transport/compression` implements it with zlib.

export interface Compression {
  /** Returns the payload of the compressed message; undefined if this message is sent uncompressed. */
  deflate(data: string | Uint8Array): Uint8Array | undefined;
  /** Throws MESSAGE_TOO_BIG as soon as there are more than `maxBytes`, and BAD_DEFLATE for malformed input. */
  inflate(payload: Uint8Array, maxBytes: number): Uint8Array;
  /**
   * All compressions with the same key make the same payload of this message. 0: the message is sent uncompressed.
   * Undefined: the payload depends on earlier messages of the connection.
   */
  key(data: string | Uint8Array): number | undefined;
}
