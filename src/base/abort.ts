// Handlers that end because their signal has aborted. What waits for a signal ends by an exception: an AbortError (Node's timers
// and streams, `fetch` of a browser), or the reason of the signal (`fetch`, `throwIfAborted`, our own requests). A handler that
// passes it on does what the signal asks for.

/**
 * Returns true for an exception that says no more than that `signal` has aborted: it is not reported. False for every other
 * exception, and before the signal has aborted. Never throws.
 */
export function isAbortOf(signal: AbortSignal, error: unknown): boolean {
  if (!signal.aborted) return false;
  try {
    return error === signal.reason || (error as Error).name === "AbortError";
  } catch {
    // Nothing, or an object whose members throw.
    return false;
  }
}
