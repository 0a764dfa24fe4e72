// The one error of a backplane whose broker does not do what it was asked, with the broker's own words in it.

import { ChannelError } from "../base/errors.ts";

export function unavailable(cause: unknown): ChannelError {
  if (cause instanceof ChannelError && cause.code === "BACKPLANE_UNAVAILABLE") return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new ChannelError("BACKPLANE_UNAVAILABLE", detail, { cause });
}
