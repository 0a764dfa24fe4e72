// The error of a backplane whose broker fails, with the broker's own message in its text.

import { ChannelError } from "../base/errors.ts";

export function unavailable(cause: unknown): ChannelError {
  if (cause instanceof ChannelError && cause.code === "BACKPLANE_UNAVAILABLE") return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new ChannelError("BACKPLANE_UNAVAILABLE", detail, { cause });
}

/** Returns the result of `run`. Rejects with BACKPLANE_UNAVAILABLE for any error in it: applications match on one code. */
export async function orUnavailable<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw unavailable(error);
  }
}
