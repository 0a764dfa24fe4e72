// Groups of a backplane that stores use among themselves. Applications cannot use their names.

const PREFIX = "\0unichannel:";

/** Processes that watch the presence of any group: each is a member while it does. */
export const WATCHERS: string = `${PREFIX}watchers`;

/** Processes that tell when groups begin and end: each is a member while it lives. */
export const PROCESSES: string = `${PREFIX}processes`;

/** Processes that publish streams: each is a member from its first stream on, while it lives. */
export const PUBLISHERS: string = `${PREFIX}publishers`;

/** Members: the processes that watch the presence of a group. Entries: who has entered and left. */
export function watchedGroup(group: string): string {
  return `${PREFIX}watch:${group}`;
}

/** Members: the processes that have members of a group, with their numbers. */
export function countedGroup(group: string): string {
  return `${PREFIX}count:${group}`;
}

/** Returns true for names that applications cannot use. */
export function isOwnGroup(name: string): boolean {
  return name.startsWith(PREFIX);
}
