// The limits of what one client of a WebSocket may send.

import { utf8Length } from "../../base/bytes.ts";
import { RateLimit } from "../../base/rate-limit.ts";
import type { WebSocketOptions } from "../../transport/exchange.ts";

export class InputLimits {
  readonly #options: WebSocketOptions;
  /** Made for the first ping or pong. */
  #controls: RateLimit | undefined;

  constructor(options: WebSocketOptions) {
    this.#options = options;
  }

  /** `maxMessageBytes` counts bytes; only a text that is short in characters has to be measured. */
  isTooLong(data: string | Uint8Array): boolean {
    const { maxMessageBytes } = this.#options;
    if (typeof data !== "string") return data.length > maxMessageBytes;
    return data.length * 3 > maxMessageBytes && utf8Length(data) > maxMessageBytes;
  }

  /** Counts a ping or pong. True if there were too many of them in a second. */
  isFloodedAt(now: number): boolean {
    this.#controls ??= new RateLimit(this.#options.maxControlFramesPerSecond ?? Number.POSITIVE_INFINITY);
    return this.#controls.isExceeded(now);
  }
}
