// The result of `prepare` in `send-data.ts`.

import type { EncodedMessage } from "../protocol/encoded-message.ts";

/** A message that may be sent to any number of channels, and is encoded once for each kind of transport. */
export class PreparedMessage {
  // A private field keeps the type nominal: all other members are internal, so that any value would fit it.
  readonly #message: EncodedMessage;
  /** @internal A prepared message is whole: a `Sendable` without parts. */
  readonly parts: undefined;

  /** @internal */
  constructor(message: EncodedMessage) {
    this.#message = message;
  }

  /** @internal */
  get message(): EncodedMessage {
    return this.#message;
  }
}
