// A message that is sent many times, with what the transports have made of it: `prepare` in `send-data.ts` makes one.

import { sharedForms } from "../transport/outgoing-record.ts";
import type { Outgoing } from "../transport/transport.ts";

export class PreparedMessage {
  readonly #message: Outgoing;
  /** @internal It is whole: a `Sendable` like any other. */
  readonly parts: undefined;

  /** @internal */
  constructor(message: Outgoing) {
    this.#message = { ...message, shared: sharedForms() };
  }

  /** @internal */
  get message(): Outgoing {
    return this.#message;
  }
}
