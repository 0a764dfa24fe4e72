// The border between a store and the origin of its messages: this process (`local.ts`) or a backplane
// (`backplane-source.ts`).
// Each group has one stream. All its members receive the entries of the stream in the same order.

import type { BackplaneMember, HistoryLimits } from "../../backplane/backplane.ts";
import type { Clock } from "../../base/clock.ts";
import type { AnyChannel } from "../../channel/channel.ts";
import type { StoreHistoryLimits } from "../channel-store.ts";
import type { Control, ControlEntry } from "../control.ts";
import type { HistoryBudget } from "../history-budget.ts";
import type { GroupEntry, GroupMessage } from "../message.ts";
import type { PresenceView } from "../presence-view.ts";
import type { Publications } from "../publications.ts";

import type { Counts } from "./counts.ts";
import type { GroupLives, LifeListener } from "./group-lives.ts";
import type { StreamLeases } from "./stream-leases.ts";

/** A message of a published stream. */
export interface StreamPart {
  readonly message: GroupMessage;
  readonly keep: HistoryLimits;
  /** The last message is the end. */
  readonly place: "part" | "end";
}

/** Entries after an id. */
export interface Replay {
  readonly entries: readonly GroupEntry[];
  /** True if some of them are not kept any more, or if the id is unknown. `entries` is then all that is kept. */
  readonly reset: boolean;
  /** Id after which the stream goes on; undefined: its beginning. */
  readonly position: string | undefined;
}

/** Receives a stream in this process. Implemented by the group. */
export interface StreamListener {
  /** The next entry. The stream's log has it already. */
  accept(entry: GroupEntry): void;
  /** A control has its turn. */
  control(entry: ControlEntry): void;
  /**
   * Entries were lost: between those that this process received, or before the first of them. In the second case a member that
   * is catching up gets them from the history.
   */
  gap(where: "between" | "before"): void;
}

/** Publishes one message to one group of several, or a control. `stream`: that of the group, if it is open here. */
export type PublishTo = (group: string, stream: GroupStream | undefined) => Promise<string>;

/** The stream of one group, with the log of its recent entries. It alone writes to the log. */
export interface GroupStream {
  /** Appends a message, which all members but `except` receive. Resolves to its id. Rejects with BACKPLANE_UNAVAILABLE. */
  publish(message: GroupMessage, except: AnyChannel | undefined): Promise<string>;
  /** Returns a negative number if `a` comes before `b` in the stream. */
  compareIds(a: string, b: string): number;
  /** Returns true for a text that may be an id of this stream: `compareIds` can compare it. */
  isId(text: string): boolean;
  /** The id after which the next entry follows that the listener receives; "": the beginning; undefined if that is not known. */
  readonly position: string | undefined;
  /**
   * The id after which the listener receives all entries; undefined: from the beginning of the stream. A promise, which never
   * rejects, while that is not known: all members that have been added meanwhile receive what follows it.
   */
  start(): string | undefined | Promise<string | undefined>;
  /** Returns true if the entry with this id has been received here, or precedes all that have been. */
  has(id: string): boolean;
  /**
   * Returns the entries after `since`, an id that a client has sent, where values are kept only the last one of each key. An empty string: all that are kept; undefined: none, only
   * the position of the stream. Returns at once if the log has them: no entry is then missing between them and the next one
   * that the listener receives. Otherwise returns a promise, which never rejects, for some of them: `replayFrom` has the rest.
   */
  replay(since: string | undefined): Replay | Promise<Replay>;
  /** Does the same for the `position` of an earlier replay. */
  replayFrom(position: string | undefined): Replay | Promise<Replay>;
  /**
   * Drops expired entries. Returns true while the stream has to be kept: it has entries, or its group may soon have members
   * again. `emptySinceMs`: the time at which its last member has left; undefined while it has some.
   */
  expire(nowMs: number, emptySinceMs: number | undefined): boolean;
  /** Called when the group is dropped. */
  end(): void;
}

export interface StreamSource {
  /** True if a message to a group without members here is kept here: its stream is opened for it. */
  readonly keepsHistory: boolean;
  /** True if other processes may have members of the same groups. */
  readonly isShared: boolean;
  open(group: string, listener: StreamListener): GroupStream;
  /** Like GroupStream.publish, for a group that has no stream here. */
  publish(group: string, message: GroupMessage): Promise<string>;
  /** Prepares a message for several groups. Each call of the result publishes it to one of them. */
  share(message: GroupMessage, except: AnyChannel | undefined): PublishTo;
  /** Prepares a message of a published stream. */
  part(part: StreamPart): PublishTo;
  /** Prepares a control. */
  control(control: Control): PublishTo;
  /** Like GroupStream.replay, for a group that may have no stream here. Rejects with BACKPLANE_UNAVAILABLE. */
  history(group: string, since: string): Promise<Replay>;
  /** Lists a member as present until `leave`. `from`: the result of `release` in the process from which it has moved. */
  enter(group: string, member: BackplaneMember, from?: string): void;
  leave(group: string, key: string): void;
  /** Keeps a member listed that goes on in another process: this process does not list it any more itself. */
  release(group: string, key: string): string | undefined;
  /** Shows the members that are present, and each change, until the result is called. */
  watchPresence(view: PresenceView): () => void;
  /** The lives of groups; undefined where nobody asked for them. */
  readonly lives: GroupLives | undefined;
  /** The numbers of members in all processes; undefined where they are not counted. */
  readonly counts: Pick<Counts, "changed" | "count"> | undefined;
  /** The published streams of all processes; undefined where there is one process. */
  readonly leases: StreamLeases | undefined;
  present(group: string): Promise<readonly BackplaneMember[]>;
  close(): Promise<void>;
}

/** The parts of a store that its source uses. */
export interface SourceOwner {
  readonly clock: Clock;
  readonly history: StoreHistoryLimits;
  /** Told of the beginnings and ends of groups; undefined if nobody asked for them. */
  readonly lives: LifeListener | undefined;
  /** True if the members of all processes are counted. */
  readonly hasCounts: boolean;
  /** True if each group keeps the last value of each key. */
  readonly keepsLatest: boolean;
  readonly publications: Publications;
  /** Shared by the logs of all groups. */
  readonly budget: HistoryBudget;
  /** Called when a group's history was dropped to make room for others: without members the group is not needed. */
  historyDropped(name: string): void;
  /** `group`: undefined for an error that concerns no group. */
  report(error: unknown, group: string | undefined): void;
}
