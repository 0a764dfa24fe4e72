// A message that is sent many times, with what the transports have made of it: `prepare` in `send-data.ts` makes one.

import type { Outgoing } from "../transport/transport.ts";

export class PreparedMessage {
  readonly #message: Outgoing;
  /** @internal It is whole: a `Sendable` like any other. */
  readonly parts: undefined;

  /** @internal */
  constructor(message: Outgoing) {
    const shared = { plain: undefined, compressed: undefined, event: undefined, body: undefined };
    this.#message = { ...message, shared };
  }

  /** @internal */
  get message(): Outgoing {
    return this.#message;
  }
}
