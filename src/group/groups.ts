// The groups of a store by name. A group is created when it is needed, and dropped when it has neither members nor a history.

import type { Clock, Timer } from "../base/clock.ts";
import { Group, type GroupOwner } from "./group.ts";

/** Interval for answering expired polls and dropping unused groups. */
const TICK_MS = 1000;

export class Groups {
  readonly #clock: Clock;
  readonly #owner: GroupOwner & { onEntry: GroupOwner["onEntry"] };
  readonly #byName = new Map<string, Group>();
  /** Groups that have entries or polls that expire, or that are kept for a while without members. */
  readonly #watched = new Set<Group>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(clock: Clock, owner: Omit<GroupOwner, "watch" | "onEntry">) {
    this.#clock = clock;
    this.#owner = { ...owner, watch: (group) => this.watch(group), onEntry: undefined };
  }

  /** Called with each entry of each group from now on; undefined: nobody watches. */
  set onEntry(fn: GroupOwner["onEntry"]) {
    this.#owner.onEntry = fn;
  }

  find(name: string): Group | undefined {
    return this.#byName.get(name);
  }

  /** Returns a copy. */
  all(): readonly Group[] {
    return [...this.#byName.values()];
  }

  /** Finds the group, or creates it. */
  open(name: string): Group {
    let group = this.#byName.get(name);
    if (group === undefined) {
      group = new Group(name, this.#owner);
      this.#byName.set(name, group);
      group.open();
    }
    return group;
  }

  watch(group: Group): void {
    this.#watched.add(group);
    if (this.#timer === undefined && !this.#isClosed) this.#timer = this.#clock.setTimer(() => this.#tick(), TICK_MS);
  }

  memberLeft(group: Group): void {
    if (group.size > 0) return;
    this.#mayDrop(group);
  }

  /** Keeps the group, also without members, until the returned function is called. */
  hold(name: string): () => void {
    const group = this.open(name);
    group.holds += 1;
    return () => {
      group.holds -= 1;
      if (group.size === 0 && this.#byName.get(name) === group) this.#mayDrop(group);
    };
  }

  #mayDrop(group: Group): void {
    const now = this.#clock.now();
    group.emptySinceMs = now;
    if (group.stream.expire(now, now) || group.holds > 0) this.watch(group);
    else this.#drop(group);
  }

  /** The history of the group was dropped to make room for others: without members the group is not needed. */
  historyDropped(name: string): void {
    const group = this.#byName.get(name);
    if (group?.size === 0 && group.holds === 0) this.#drop(group);
  }

  /** Answers all polls, and drops all groups after `leave` was called for each of them. */
  close(leave: (group: Group) => void): void {
    this.#isClosed = true;
    this.#clock.clearTimer(this.#timer);
    for (const group of this.all()) group.expirePolls(Number.POSITIVE_INFINITY);
    for (const group of this.all()) {
      leave(group);
      this.#drop(group);
    }
  }

  #drop(group: Group): void {
    // A message that is too large for all histories together drops its own group.
    if (this.#byName.get(group.name) !== group) return;
    this.#byName.delete(group.name);
    this.#watched.delete(group);
    group.end();
  }

  #tick(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const group of this.#watched) {
      group.expirePolls(now);
      const isKept = group.stream.expire(now, group.emptySinceMs);
      if (isKept || group.pollCount > 0 || group.holds > 0) continue;
      if (group.size === 0) this.#drop(group);
      else this.#watched.delete(group);
    }
    const [any] = this.#watched;
    if (any !== undefined) this.watch(any);
  }
}
