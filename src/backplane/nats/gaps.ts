// Which groups lost messages that were never read here. A stream of NATS says how many messages it lacks, not of which
// subjects, so each group is asked about.

import type { NatsStreams } from "./streams.ts";

/** How far all was read, and when. */
export interface ReadPlace {
  readonly sequence: number;
  readonly atMs: number;
  readonly nowMs: number;
  /** How many messages of each group the stream keeps; negative: all. */
  readonly limit: number;
}

/** Groups that are asked about at once. */
const CHUNK = 64;
/** Up to so many subjects the server is asked for all their counts. */
const MAX_COUNTS = 10_000;
/** Clocks of different machines differ, and a server lets go of what is too old a little late. */
const CLOCK_SLACK_MS = 2000;

/**
 * Calls `tell` for each group that lost something after `place`. `lastAtMs`: when the server stored the last message that is
 * known of the group, in milliseconds; 0: none is.
 */
export async function findGaps<Group extends { readonly lastAtMs: number }>(
  streams: NatsStreams,
  place: ReadPlace,
  groups: readonly (readonly [subject: string, group: Group])[],
  tell: (group: Group) => void,
): Promise<void> {
  let purged: Promise<boolean> | undefined;
  const isPurged = (): Promise<boolean> => {
    purged ??= wasPurged(streams, place.limit);
    return purged;
  };
  for (let i = 0; i < groups.length; i += CHUNK) {
    const looking = groups.slice(i, i + CHUNK).map(async ([subject, group]) => {
      if (await isMissing(streams, place, subject, group.lastAtMs, isPurged)) tell(group);
    });
    await Promise.all(looking);
  }
}

async function isMissing(
  streams: NatsStreams,
  { sequence, atMs, nowMs, limit }: ReadPlace,
  subject: string,
  lastAtMs: number,
  isPurged: () => Promise<boolean>,
): Promise<boolean> {
  const { ttlMs } = streams.keep;
  const first = await streams.find({ firstOf: subject });
  // An older one is still there: trimming begins with the oldest.
  if (first !== undefined && first.sequence <= sequence) return false;
  if (nowMs - atMs >= ttlMs) return true;
  const counts = first === undefined ? {} : await streams.countsOf(subject);
  if (limit >= 0 && (counts[subject] ?? 0) >= limit) return true;
  // Neither their number nor their age has removed the last one that was known: somebody did.
  if (lastAtMs > 0 && nowMs - lastAtMs < ttlMs - CLOCK_SLACK_MS) return true;
  return isPurged();
}

/** Whether messages are gone that neither a limit nor their age has removed, of whatever group. */
async function wasPurged(streams: NatsStreams, limit: number): Promise<boolean> {
  const { state } = await streams.info();
  if ((state.num_subjects ?? 0) > MAX_COUNTS) return false;
  const counts = Object.values(await streams.countsOf(">"));
  return limit < 0 || !counts.some((count) => count >= limit);
}
