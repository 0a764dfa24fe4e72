/** A request that is being handled. */
export interface HandledRequest {
  /** Aborts when the reply is of no use any more: the other end does not wait for it, or the session is over. */
  readonly signal: AbortSignal;
}
