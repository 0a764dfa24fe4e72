// Groups that keep the last value of each key: keys of messages, and what is sent in place of all messages that a member has missed.

import { utf8Length } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { callSync } from "../base/guard.ts";
import type { LatestKey } from "./latest-key.ts";
import type { GroupEntry, GroupMessage } from "./message.ts";

/** Longest key, in bytes. */
const MAX_KEY_BYTES = 1024;

/** Asks the application for the key of a value. Throws BAD_DATA for one that cannot be used, and what the function throws. */
export function withKey(message: GroupMessage, keyOf: (data: never) => unknown, data: unknown): GroupMessage {
  const found = callSync("history.latest", () => keyOf(data as never));
  if (found === undefined) return message;
  const { key, isRemoved } = (
    typeof found === "string" ? { key: found, isRemoved: false } : (found ?? {})
  ) as Partial<LatestKey>;
  if (typeof key !== "string" || typeof isRemoved !== "boolean") {
    throw new ChannelError("BAD_DATA", "history.latest returns a key, { key, isRemoved } or undefined");
  }
  // Brokers carry UTF-8, where all lone surrogates are the same character: the values of two keys would be one.
  if (/\p{Surrogate}/u.test(key)) throw new ChannelError("BAD_DATA", "a key has no lone surrogates");
  if (utf8Length(key) > MAX_KEY_BYTES) throw new ChannelError("BAD_DATA", `a key has at most ${MAX_KEY_BYTES} bytes`);
  return { ...message, latest: { key, isRemoved } };
}

/** Leaves out each entry that a later one of its key replaces. `entries` are in the order of their ids. */
export function newestOfEach(entries: readonly GroupEntry[]): readonly GroupEntry[] {
  const seen = new Set<string>();
  const newest = entries.toReversed().filter(({ published: { latest } }) => {
    if (latest === undefined) return true;
    if (seen.has(latest.key)) return false;
    seen.add(latest.key);
    return true;
  });
  return newest.reverse();
}

/**
 * Returns what a newcomer receives: the last value of each key, and the messages without a key that are kept.
 *
 * @param values at most one entry of each key, in any order
 * @param kept the newest entries, in their order
 */
export function wholeOf(
  values: readonly GroupEntry[],
  kept: readonly GroupEntry[],
  compareIds: (a: string, b: string) => number,
): readonly GroupEntry[] {
  const byId = new Map([...values, ...kept].map((entry) => [entry.id, entry]));
  const all = [...byId.values()].sort((a, b) => compareIds(a.id, b.id));
  return newestOfEach(all).filter(({ published: { latest } }) => latest?.isRemoved !== true);
}
