// Counts the bytes that the streams of one session of node:http2 had not sent when they were reset. node:http2 (20.20) never
// subtracts these bytes from the memory of the session, and refuses all new streams when the sum reaches `maxSessionMemory`.

export class LostBytes {
  readonly #maxBytes: number;
  #bytes = 0;

  /** `maxSessionBytes`: the memory that node:http2 gives the session. */
  constructor(maxSessionBytes: number) {
    this.#maxBytes = maxSessionBytes / 2;
  }

  /** Adds the bytes of one stream. True if the client should continue on another connection (RFC 9113 §6.8). */
  isTooMuchWith(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#bytes > this.#maxBytes;
  }
}
