// Counts what the streams of one session of node:http2 had not sent at their resets. node:http2 (20.20) counts it for the whole
// life of the session, and refuses all new streams when it comes to the memory that a session may have.

export class LostBytes {
  readonly #maxBytes: number;
  #bytes = 0;

  /** `maxSessionBytes`: the memory that node:http2 gives the session. */
  constructor(maxSessionBytes: number) {
    this.#maxBytes = maxSessionBytes / 2;
  }

  /** Adds those of one stream. True if so much is lost that the client should go on with another connection (RFC 9113 §6.8). */
  isTooMuchWith(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#bytes > this.#maxBytes;
  }
}
