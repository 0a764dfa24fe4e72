// The body of a response that goes on, that is too long to be written at once, or that ends behind its request: how its bytes reach
// the client, and its end.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Piece } from "../../base/bytes.ts";
import type { ExchangeServer } from "../../server/exchange-server.ts";
import { endBehindRequest } from "./late-end.ts";
import { isUnwrapped } from "./response-head.ts";
import { MessageSink, NodeResponseWriter, SocketSink } from "./response-writer.ts";

export interface ResponseBodyOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly server: ExchangeServer;
  /** The response ends behind the request. */
  readonly endsLate: boolean;
  /** Called each time that the client has taken all unsent bytes, until the body has ended. */
  readonly onEmpty: () => void;
}

export class ResponseBody {
  /** True if the output has to be framed in chunks. */
  readonly isChunked: boolean;
  readonly #options: ResponseBodyOptions;
  readonly #writer: NodeResponseWriter;
  #hasEnded = false;

  /** Writes the head, which is known. */
  constructor(options: ResponseBodyOptions) {
    this.#options = options;
    const { request, response, server } = options;
    response.flushHeaders();
    const isDirect = isUnwrapped(response) && response.socket === request.socket;
    this.isChunked = isDirect && response.chunkedEncoding;
    const sink = isDirect ? new SocketSink(request.socket) : new MessageSink(response);
    this.#writer = new NodeResponseWriter(sink, server.buffered, () => this.#emptied());
  }

  get bufferedAmount(): number {
    return this.#writer.bufferedAmount;
  }

  get pinnedBytes(): number {
    return this.#writer.pinnedBytes;
  }

  /** True if nothing is unsent, and nothing waits for its end. */
  get isTaken(): boolean {
    return this.#writer.bufferedAmount === 0 && !this.#options.endsLate;
  }

  write(output: Piece | readonly Piece[]): void {
    this.#writer.write(output);
  }

  /** Ends the response when the client has taken all unsent bytes. */
  end(): void {
    this.#hasEnded = true;
    if (this.#writer.bufferedAmount === 0) this.#endResponse();
  }

  /** A response that waits for an earlier one on its connection is not stalled: its client cannot take it. */
  isStalled(now: number, writeTimeoutMs: number): boolean {
    return this.#options.response.socket !== null && this.#writer.isStalled(now, writeTimeoutMs);
  }

  /** Nothing is written any more. */
  release(): void {
    this.#writer.release();
  }

  #emptied(): void {
    if (this.#hasEnded) this.#endResponse();
    else this.#options.onEmpty();
  }

  #endResponse(): void {
    const { request, response, server, endsLate } = this.#options;
    if (endsLate) endBehindRequest(request, response, server);
    else response.end();
  }
}
