// Checks of the arguments that all session stores share: the callers are ours, and yours.

import { ChannelError } from "../base/errors.ts";
import { badValue } from "../base/option-values.ts";
import { MAX_SNAPSHOT_BYTES } from "./session-store.ts";

/** A longer time to live is shortened to this: 31 years. */
const MAX_TTL_MS = 1e12;

/** Returns the time to live in whole milliseconds. Throws BAD_OPTION if it is not a number above 0. */
export function toTtl(ttlMs: number): number {
  if (typeof ttlMs !== "number" || !(ttlMs > 0)) throw badValue("ttlMs", ttlMs, "a number of milliseconds above 0");
  return Math.min(Math.ceil(ttlMs), MAX_TTL_MS);
}

/** Throws MESSAGE_TOO_BIG for a snapshot that a session store need not accept. */
export function checkSnapshot(snapshot: Uint8Array): void {
  if (snapshot.length <= MAX_SNAPSHOT_BYTES) return;
  const detail = `a snapshot of ${snapshot.length} bytes; a session store takes ${MAX_SNAPSHOT_BYTES}`;
  throw new ChannelError("MESSAGE_TOO_BIG", detail);
}
