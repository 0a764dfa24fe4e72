// Finds the groups that lost messages before this process had read them. A NATS stream tells how many messages it lacks, not of
// which subjects, so each group is checked.

import type { NatsStreams } from "./streams.ts";

/** Sequence up to which everything was read, and the time of that. */
export interface ReadPosition {
  readonly sequence: number;
  readonly atMs: number;
  readonly nowMs: number;
  /** Number of messages of each group that the stream keeps; Infinity: all. */
  readonly limit: number;
}

/** Groups that are checked in one step. */
const CHUNK = 64;
/** Up to this number of subjects the server is asked for the counts of all. */
const MAX_COUNTS = 10_000;
/** Tolerance: the clocks of machines differ, and a server removes old messages a little late. */
const CLOCK_SLACK_MS = 2000;

/**
 * Calls `tell` for each group that lost messages after `position`. `lastAtMs`: the time at which the server stored the last
 * known message of the group, in milliseconds.
 */
export async function findGaps<Group extends { readonly lastAtMs: number | undefined }>(
  streams: NatsStreams,
  position: ReadPosition,
  groups: readonly (readonly [subject: string, group: Group])[],
  tell: (group: Group) => void,
): Promise<void> {
  let purged: Promise<boolean> | undefined;
  const isPurged = (): Promise<boolean> => {
    purged ??= wasPurged(streams, position.limit);
    return purged;
  };
  for (let i = 0; i < groups.length; i += CHUNK) {
    const checks = groups.slice(i, i + CHUNK).map(async ([subject, group]) => {
      if (await isMissing(streams, position, subject, group.lastAtMs, isPurged)) tell(group);
    });
    await Promise.all(checks);
  }
}

async function isMissing(
  streams: NatsStreams,
  { sequence, atMs, nowMs, limit }: ReadPosition,
  subject: string,
  lastAtMs: number | undefined,
  isPurged: () => Promise<boolean>,
): Promise<boolean> {
  const { ttlMs } = streams.keep;
  const first = await streams.find({ firstOf: subject });
  // The stream still has an older message, and trimming begins with the oldest.
  if (first !== undefined && first.sequence <= sequence) return false;
  if (nowMs - atMs >= ttlMs) return true;
  const count = first === undefined ? undefined : (await streams.countsOf(subject)).get(subject);
  if ((count ?? 0) >= limit) return true;
  // Neither a limit nor its age has removed the last known message, so it was deleted.
  if (lastAtMs !== undefined && nowMs - lastAtMs < ttlMs - CLOCK_SLACK_MS) return true;
  return isPurged();
}

/** Returns whether messages of any group are gone that neither a limit nor their age has removed. */
async function wasPurged(streams: NatsStreams, limit: number): Promise<boolean> {
  const { state } = await streams.info();
  if ((state.num_subjects ?? 0) > MAX_COUNTS) return false;
  const counts = await streams.countsOf(">");
  return ![...counts.values()].some((count) => count >= limit);
}
