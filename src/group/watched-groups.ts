// The groups of a store for those who only look: an inspector. While nobody watches, an entry of a group costs one comparison.

import type { Groups } from "./groups.ts";
import type { Member } from "./member.ts";
import type { GroupEntry } from "./message.ts";

/** Called with each message that is published to a group, before its members receive it. Must not throw. */
export type EntryWatcher = (group: string, entry: GroupEntry) => void;

export interface WatchedGroup {
  readonly name: string;
  /** Members in this process, parked polls too. */
  readonly size: number;
}

export class WatchedGroups {
  readonly #groups: Groups;
  #watchers: readonly EntryWatcher[] = [];

  constructor(groups: Groups) {
    this.#groups = groups;
  }

  /** The groups that have members or a history, as a copy. */
  all(): readonly WatchedGroup[] {
    return this.#groups.all();
  }

  /** True for one of the groups of this store. */
  has(group: WatchedGroup): boolean {
    return this.#groups.find(group.name) === group;
  }

  /** The members of a group, as a copy; undefined for a group that does not exist. */
  members(group: string): readonly Member[] | undefined {
    return this.#groups.find(group)?.members();
  }

  get isWatched(): boolean {
    return this.#watchers.length > 0;
  }

  /** Calls `watcher` with each entry, until the function that comes back is called. */
  watch(watcher: EntryWatcher): () => void {
    this.#set([...this.#watchers, watcher]);
    return () => this.#set(this.#watchers.filter((one) => one !== watcher));
  }

  #set(watchers: readonly EntryWatcher[]): void {
    this.#watchers = watchers;
    const [first, ...others] = watchers;
    if (others.length === 0) this.#groups.onEntry = first;
    else
      this.#groups.onEntry = (group, entry) => {
        for (const watcher of watchers) watcher(group, entry);
      };
  }
}
