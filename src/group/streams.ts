// The seam between the store and where the messages of its groups come from: this process (`local-streams.ts`) or a
// backplane (`backplane-streams.ts`). Each group has one stream, which all its members hear in the same order.

import type { Clock } from "../base/clock.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { BackplaneMember } from "./backplane.ts";
import type { StoreHistoryLimits } from "./channel-store.ts";
import type { Group } from "./group.ts";
import type { GroupEntry, GroupMessage } from "./group-message.ts";
import type { HistoryBudget } from "./history-budget.ts";

/** What came after some id. */
export interface Missed {
  readonly entries: readonly GroupEntry[];
  /** It is not all there any more, or the id is unknown. `entries` is then all that is kept. */
  readonly reset: boolean;
  /** The id behind the last of them. */
  readonly position: string;
}

export interface GroupStreams {
  /** A group begins here: gives it its log, at once or when its stream is heard. */
  begin(group: Group): void;
  /** Lets go of what is too old. True while the group is worth keeping without members, or has something to let go of. */
  keeps(group: Group, nowMs: number): boolean;
  /** The group is dropped here. */
  end(group: Group): void;
  publish(name: string, message: GroupMessage, except: AnyChannel | undefined): Promise<string>;
  /**
   * What follows `since` (an empty string: all that is kept; undefined: nothing, only where the stream is now). At once
   * where the group's own log has it, and then nothing is missing between it and what the group hears next; otherwise a
   * promise, which never rejects, and whose `position` is to be asked again. `isKnown`: `since` was such a position.
   */
  missed(group: Group, since: string | undefined, isKnown: boolean): Missed | Promise<Missed>;
  history(name: string, since: string): Promise<Missed>;
  compareIds(a: string, b: string, name: string): number;
  enter(name: string, member: BackplaneMember): void;
  leave(name: string, key: string): void;
  present(name: string): Promise<readonly BackplaneMember[]>;
  close(): Promise<void>;
}

/** What streams need of the store. */
export interface StreamsOwner {
  readonly clock: Clock;
  readonly history: StoreHistoryLimits;
  /** Of all groups together. */
  readonly budget: HistoryBudget;
  /** `isNeeded`: makes it where it is not there. */
  findGroup(name: string, isNeeded: boolean): Group | undefined;
  /** The history of a group was let go of for others: without members the group is not needed. */
  emptied(group: Group): void;
  report(error: unknown, group: string): void;
}
