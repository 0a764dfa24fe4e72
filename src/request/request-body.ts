// The body of a request: read once, whole or as a stream. Made when it is first asked for: most requests have none.

import { ChannelError } from "../base/errors.ts";
import { Pieces } from "../base/pieces.ts";
import type { Exchange } from "../transport/exchange.ts";
import { countedRequest } from "./counted-request.ts";

export class RequestBody {
  readonly #exchange: Exchange;
  #stream: ReadableStream<Uint8Array> | undefined;
  #isUsed = false;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** The body of a request that has one, pulled at the pace of its reader. */
  get stream(): ReadableStream<Uint8Array> {
    this.#stream ??= this.#open();
    return this.#stream;
  }

  /** The whole body. `request`: the Fetch form of the request, which has the stream, and may still have it whole. */
  async bytes(request: Request | undefined): Promise<Uint8Array> {
    if (this.#stream !== undefined) {
      if (request === undefined || request.bodyUsed) throw new ChannelError("BODY_USED");
      return new Uint8Array(await request.arrayBuffer());
    }
    this.#take();
    const exchange = this.#exchange;
    const parts = new Pieces();
    try {
      for (let part = await exchange.readBody(); part !== undefined; part = await exchange.readBody()) {
        parts.add(part);
        if (!exchange.holdsBody(parts.memory)) throw new ChannelError("RECEIVE_OVERFLOW");
      }
      return parts.join();
    } finally {
      exchange.holdsBody(0);
    }
  }

  /** A Fetch request with this body. Its memory counts while it is collected. */
  toRequest(url: string, init: RequestInit): Request {
    let collected = 0;
    return countedRequest(url, { ...init, body: this.stream, duplex: "half" } as RequestInit, (bytes) => {
      collected += bytes;
      return this.#exchange.holdsBody(collected);
    });
  }

  #take(): void {
    if (this.#isUsed) throw new ChannelError("BODY_USED");
    this.#isUsed = this.#exchange.hasBody;
  }

  #open(): ReadableStream<Uint8Array> {
    this.#take();
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const part = await this.#exchange.readBody();
          if (part === undefined) controller.close();
          else controller.enqueue(part);
        },
      },
      // Nothing is read ahead: the first read asks an `Expect: 100-continue` client for its body.
      { highWaterMark: 0 },
    );
  }
}
