// A request of the client that is being handled, as its handler sees it.

import type { HandledRequest } from "../base/handled-request.ts";
import type { IncomingRequest } from "../transport/requests.ts";
import { guardSignal } from "./guarded-signal.ts";

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
