// A channel's membership of a group. Most members have at most an attachment. One that catches up, is listed as present or
// waits as a poll has more state, in an object of its own.

import type { BackplaneMember } from "../backplane/backplane.ts";
import type { IndexedItem } from "../base/indexed-set.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { Membership } from "../channel/membership.ts";
import { implementationOf } from "../channel/public-channel.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import type { JoinOptions } from "./channel-store.ts";
import type { ControlEntry, MemberControl } from "./control.ts";
import { type GroupEntry, NO_ENTRIES } from "./message.ts";
import { StateSource } from "./state-source.ts";

/** The group, as its members use it. */
export interface MemberOwner {
  /** Called when a channel has ended. `first` is the newest of its memberships, which may belong to other groups. */
  channelEnded(first: Member): void;
  /** Called when the membership ends because its channel has ended. */
  memberEnded(member: Member): void;
}

export class Member implements IndexedItem, Membership {
  index: number | undefined = undefined;
  readonly group: MemberOwner;
  readonly channel: AnyChannel;
  /** The implementation of the channel, which takes entries without a conversion; undefined if it is not one of this library. */
  readonly implementation: TransportChannel | undefined;
  state: MemberState | undefined;
  attachment: unknown = undefined;
  /** The next older membership of the channel, while they are a list. */
  next: Member | undefined = undefined;

  constructor(group: MemberOwner, channel: AnyChannel, state?: MemberState) {
    this.group = group;
    this.channel = channel;
    this.implementation = implementationOf(channel);
    this.state = state;
  }

  get hasLeft(): boolean {
    return this.index === undefined;
  }

  channelEnded(): void {
    this.group.channelEnded(this);
  }
}

export type MemberState = JoinState | PollState;

/** The progress of a member: one that asked for earlier messages receives them before live ones. */
class Progress {
  /** True while it receives earlier entries: live ones wait until that is done. */
  isCatchingUp = false;
  /** True if entries are lost and the member was not told yet. */
  isReset = false;
  /** Id up to which the member has received all entries, some of them before the group; undefined when the group has them, too. */
  receivedUpTo: string | undefined = undefined;
  /** The id up to which the client knows that it has everything, if it keeps cursors. */
  toldUpTo: string | undefined = undefined;
  /** While it catches up: the id up to which it has been sent everything. */
  caughtUpTo: string | undefined = undefined;
  /** While it catches up: controls that it has not caught up with, in their order. */
  controls: ControlEntry<MemberControl>[] | undefined = undefined;
}

export interface JoinSettings {
  /** Sends each message as JSON with its id. */
  readonly withIds: boolean;
  /** Sends the member a message when entries were lost. */
  readonly tellsReset: boolean;
  readonly onReset: ((channel: AnyChannel) => unknown) | undefined;
}

const NO_OPTIONS: JoinSettings = { withIds: false, tellsReset: false, onReset: undefined };

/** State of a member that joined with options, or is listed as present. */
export class JoinState extends Progress {
  readonly options: JoinSettings;
  /** The member as it is listed as present, if it is. */
  present: BackplaneMember | undefined = undefined;
  /** True while it is not known where its client was in the group. */
  awaitsCursor = false;
  /** Where its state comes from; undefined if it joined without `snapshot`. */
  source: StateSource | undefined = undefined;
  /** True for the entries right after a state: also those that the channel has sent itself, or has had before, are not in it. */
  takesAll = false;

  constructor(options: JoinSettings = NO_OPTIONS) {
    super();
    this.options = options;
  }
}

/**
 * Returns the state of a new member; undefined for most members, which join without options. `keepsCursors`: its client is told of a
 * reset by a record, unless the application knows a position or sends ids.
 */
export function toState<Out>(options: JoinOptions<Out>, keepsCursors: boolean): JoinState | undefined {
  const { since, ids = false, onReset, snapshot, snapshotTimeoutMs } = options;
  const hasSince = since !== undefined && since !== null;
  if (!hasSince && !ids && onReset === undefined && snapshot === undefined) return undefined;
  const tellsReset = (hasSince && !(keepsCursors && since === "")) || ids;
  const state = new JoinState({ withIds: ids, tellsReset, onReset: onReset as JoinSettings["onReset"] });
  state.isCatchingUp = hasSince || snapshot !== undefined;
  if (snapshot !== undefined) {
    state.source = new StateSource();
    state.source.set(snapshot, snapshotTimeoutMs);
  }
  return state;
}

/** State of a long poll, which is answered once, with all messages after `since`. */
export class PollState extends Progress {
  /** Undefined if the client asked only for the position of the stream. */
  readonly since: string | undefined;
  readonly untilMs: number;
  found: readonly GroupEntry[] = NO_ENTRIES;
  /** Index of its first entry among those that arrived in this turn; undefined if none did. */
  dueFrom: number | undefined = undefined;

  constructor(since: string | undefined, untilMs: number) {
    super();
    this.isCatchingUp = true;
    this.since = since;
    this.untilMs = untilMs;
  }
}
