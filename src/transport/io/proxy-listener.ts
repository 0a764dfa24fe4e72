// The start of a connection from a proxy that forwards bytes: a PROXY header (`codec/proxy-protocol.ts`) with the client's
// address precedes the client's bytes.

import { ChannelError } from "../../base/errors.ts";
import { ProxyProtocolDecoder, type ProxyProtocolHeader } from "../../codec/proxy-protocol.ts";
import type { ByteStream, ByteStreamListener } from "./byte-stream.ts";

export interface ProxyListenerOwner {
  /** The connection begins with `rest`. `extensions`: the TLVs of a binary header. Sets another listener. */
  headerRead(header: ProxyProtocolHeader, rest: Uint8Array | undefined, extensions: Uint8Array): void;
  /** The header is malformed, or missing. Sets another listener, or destroys the stream. */
  headerRefused(error: ChannelError): void;
}

/** Reads the header of a trusted proxy. */
export class ProxyListener implements ByteStreamListener {
  readonly #stream: ByteStream;
  readonly #header: "required" | "optional";
  readonly #owner: ProxyListenerOwner;
  readonly #decoder = new ProxyProtocolDecoder();
  /** The time of the first tick. */
  #firstTickAt: number | undefined;

  constructor(stream: ByteStream, header: "required" | "optional", owner: ProxyListenerOwner) {
    this.#stream = stream;
    this.#header = header;
    this.#owner = owner;
  }

  onBytes(bytes: Uint8Array): void {
    this.#decoder.push(bytes);
    let header: ProxyProtocolHeader | undefined;
    try {
      header = this.#decoder.next();
      if (header === "absent" && this.#header === "required")
        throw new ChannelError("BAD_REQUEST", "the PROXY header is missing");
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      this.#owner.headerRefused(error);
      return;
    }
    if (header !== undefined) this.#owner.headerRead(header, this.#decoder.takeRest(), this.#decoder.extensions);
  }

  /** The peer has ended before its header: no request needs an answer. */
  onEof(): void {
    this.#stream.destroy();
  }

  onDrain(): void {}

  onClosed(): void {}

  /**
   * Called about twice a second: a proxy sends its header at once, so a client that takes this long is not one. True if the
   * connection was ended.
   */
  tick(now: number, headerTimeoutMs: number): boolean {
    this.#firstTickAt ??= now;
    if (now - this.#firstTickAt < headerTimeoutMs) return false;
    this.#stream.destroy();
    return true;
  }

  /** The header, and a request, may be on their way. */
  announceClose(): void {}

  closeSoon(): void {
    this.#stream.destroy();
  }
}
