// The requests of a session as a channel sees them. A transport without them is one that cannot carry them.

import { isAbortOf } from "../base/abort.ts";
import type { ChannelError } from "../base/errors.ts";

/** The numbers and limits of the requests of a session. */
export interface SessionRequests {
  /** The most requests of this end that its client takes at once. */
  readonly maxAsked: number;
  /** True from the moment at which the session is about to leave this process: no reply comes any more. */
  readonly isLeaving: boolean;
  /** The number of the next request of this end. */
  nextId(): number;
  /** A request of the client has its reply, or gets none. */
  answered(id: number): void;
}

/** A request of the client on its way to the application. */
export class IncomingRequest {
  readonly id: number;
  readonly data: string | Uint8Array;
  /** Set when the reply is of no use any more. */
  #reason: ChannelError | undefined;
  /** Made when the application asks for the signal. */
  #aborter: AbortController | undefined;

  constructor(id: number, data: string | Uint8Array) {
    this.id = id;
    this.data = data;
  }

  get isCancelled(): boolean {
    return this.#reason !== undefined;
  }

  /** Returns true for an exception of a handler that ends because the request is cancelled. */
  isEndedBy(error: unknown): boolean {
    return this.#aborter !== undefined && isAbortOf(this.#aborter.signal, error);
  }

  /** `made` is called with a new signal. */
  signal(made: (signal: AbortSignal) => void): AbortSignal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController();
      made(this.#aborter.signal);
      if (this.#reason !== undefined) this.#aborter.abort(this.#reason);
    }
    return this.#aborter.signal;
  }

  cancel(reason: ChannelError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#aborter?.abort(reason);
  }
}
