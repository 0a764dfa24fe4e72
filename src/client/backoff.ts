// The delay between the attempts of a connection.

import type { Environment } from "./environment.ts";

/** The delay between two attempts: a random part of a limit that doubles with each failure. */
export interface BackoffOptions {
  /** The limit of the first delay, in milliseconds. @default 500 */
  readonly firstMs?: number | undefined;
  /** The limit grows up to this, in milliseconds. @default 30_000 */
  readonly capMs?: number | undefined;
}

/** Returns the delay before attempt 1, 2, 3, …, with full jitter: a random part of a limit that doubles each time. */
export function fullJitter(
  { firstMs = 500, capMs = 30_000 }: BackoffOptions,
  environment: Pick<Environment, "random">,
): (attempt: number) => number {
  return (attempt) => environment.random() * Math.min(capMs, firstMs * 2 ** (attempt - 1));
}
