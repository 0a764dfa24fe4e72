// The delay between the attempts of a connection.

import type { Environment } from "./environment.ts";

export interface BackoffOptions {
  /** @default 500 */
  readonly firstMs?: number | undefined;
  /** @default 30_000 */
  readonly capMs?: number | undefined;
}

/** Returns the delay before attempt 1, 2, 3, …, with full jitter: a random part of a limit that doubles each time. */
export function fullJitter(
  { firstMs = 500, capMs = 30_000 }: BackoffOptions,
  environment: Pick<Environment, "random">,
): (attempt: number) => number {
  return (attempt) => environment.random() * Math.min(capMs, firstMs * 2 ** (attempt - 1));
}
