// A request of the client that is being handled, as its handler sees it.

import type { Reporter } from "../base/guard.ts";
import type { HandledRequest } from "../base/handled-request.ts";
import type { IncomingRequest } from "../transport/requests.ts";
import type { ErrorSource } from "./context.ts";
import { guardSignal } from "./guarded-signal.ts";

export class HandledIncoming implements HandledRequest {
  readonly #request: IncomingRequest;
  readonly #reporter: Reporter<ErrorSource>;

  /** `reporter` receives the exceptions of the signal's listeners. */
  constructor(request: IncomingRequest, reporter: Reporter<ErrorSource>) {
    this.#request = request;
    this.#reporter = reporter;
  }

  get signal(): AbortSignal {
    return this.#request.signal((signal) => guardSignal(signal, (error) => this.#reporter.report(error, "signal")));
  }
}
