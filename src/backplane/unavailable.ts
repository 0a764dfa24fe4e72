// The one error of a backplane whose broker does not do what it was asked, with the broker's own words in it.

import { ChannelError } from "../base/errors.ts";

export function unavailable(cause: unknown): ChannelError {
  if (cause instanceof ChannelError && cause.code === "BACKPLANE_UNAVAILABLE") return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new ChannelError("BACKPLANE_UNAVAILABLE", detail, { cause });
}

/** What `run` resolves to; whatever goes wrong in it, users match on one code. */
export async function orUnavailable<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw unavailable(error);
  }
}
