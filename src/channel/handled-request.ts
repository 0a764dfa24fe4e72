// A request of the client that is being handled, as its handler sees it.

import type { IncomingRequest } from "../transport/requests.ts";
import { guardSignal } from "./guarded-signal.ts";

/** A request that is being handled. */
export interface HandledRequest {
  /** Aborts when the reply is of no use any more: the other end does not wait for it, or the session is over. Made on first use. */
  readonly signal: AbortSignal;
}

export class HandledIncoming implements HandledRequest {
  readonly #request: IncomingRequest;
  readonly #report: (error: unknown) => void;

  /** `report` receives the exceptions of the signal's listeners. */
  constructor(request: IncomingRequest, report: (error: unknown) => void) {
    this.#request = request;
    this.#report = report;
  }

  get signal(): AbortSignal {
    return this.#request.signal((signal) => guardSignal(signal, this.#report));
  }
}
