// How long a connection waits between attempts.

import type { Environment } from "./environment.ts";

export interface BackoffOptions {
  /** @default 500 */
  readonly firstMs?: number | undefined;
  /** @default 30_000 */
  readonly capMs?: number | undefined;
}

/** How long to wait before attempt 1, 2, 3, …: full jitter. */
export function fullJitter(
  { firstMs = 500, capMs = 30_000 }: BackoffOptions,
  environment: Pick<Environment, "random">,
): (attempt: number) => number {
  return (attempt) => environment.random() * Math.min(capMs, firstMs * 2 ** (attempt - 1));
}
