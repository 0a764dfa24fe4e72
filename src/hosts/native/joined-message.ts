// Joins a message in parts, for hosts that cannot send fragments.

import { concat, utf8Bytes, utf8Length } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import type { OutboundMessage } from "../../protocol/outbound-message.ts";

export class JoinedMessage {
  readonly #maxBytes: number;
  readonly #parts: (string | Uint8Array)[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the parts so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Throws MESSAGE_TOO_BIG for a message that is longer than this server buffers for a client. */
  add(part: string | Uint8Array): void {
    this.#bytes += typeof part === "string" ? utf8Length(part) : part.length;
    this.#parts.push(part);
    if (this.#bytes <= this.#maxBytes) return;
    throw new ChannelError(
      "MESSAGE_TOO_BIG",
      "this host sends no fragments, so a message in parts is joined, up to maxBufferedBytes: send its parts as messages",
    );
  }

  toMessage(): OutboundMessage {
    const parts = this.#parts;
    const isText = parts.length === 0 || typeof parts[0] === "string";
    const bytes = concat(parts.map((part) => (typeof part === "string" ? utf8Bytes(part) : part)));
    const body = isText ? Buffer.from(bytes).toString() : bytes;
    return { status: undefined, fields: [], body, event: undefined, length: undefined };
  }
}
