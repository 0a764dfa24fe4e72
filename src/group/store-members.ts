// The members of all groups of a store: how channels join and leave, and the callbacks that are told.

import { utf8 } from "../base/bytes.ts";
import { guard } from "../base/guard.ts";
import type { AnyChannel } from "../channel/channel.ts";
import { implementationOf } from "../channel/public-channel.ts";
import { toJsonValue } from "../channel/send-data.ts";
import type { ChannelStoreOptions, JoinOptions } from "./channel-store.ts";
import { concerns, type MemberControl } from "./control.ts";
import { awaitCursor, joinFromStart, joinWithCursor, tellStart } from "./cursor-join.ts";
import type { Group } from "./group.ts";
import type { GroupMember } from "./group-member.ts";
import type { Groups } from "./groups.ts";
import { JoinState, Member, PollState, toState } from "./member.ts";
import { endMemberships } from "./memberships.ts";
import { type MovedPresence, type Presence, presencePayload } from "./presence.ts";
import { replayAfter } from "./replay-after.ts";
import { type AnyMakeSnapshot, StateSource } from "./state-source.ts";
import type { States } from "./states.ts";
import { tellCursor } from "./tell-cursor.ts";

const NO_SETTINGS = { withIds: false, onReset: undefined };

/** A membership on its way to another process: JSON. */
export interface MovedMember {
  readonly group: string;
  /** The id up to which the channel has received everything; undefined if that was not known. */
  readonly since: string | undefined;
  /** Messages were lost, and the channel was not told yet. */
  readonly isReset: boolean;
  readonly withIds: boolean;
  /** It is not known where its client was in the group. */
  readonly awaitsCursor: boolean;
  /** See `JoinSettings`. */
  readonly tellsReset: boolean;
  readonly present: MovedPresence | undefined;
  readonly attachment: unknown;
  /** It receives a state when entries are lost for it. */
  readonly hasStates: boolean;
  /** The member's function. JSON leaves it out, so it is there only if the session stays in its process after all. */
  readonly make?: AnyMakeSnapshot | undefined;
  readonly timeoutMs?: number | null | undefined;
  /** The same holds for this one. */
  readonly onReset?: ((channel: AnyChannel) => unknown) | undefined;
}

export interface StoreMembersOptions<Attachment, Out>
  extends Pick<ChannelStoreOptions<Attachment, Out>, "onJoin" | "onLeave"> {
  readonly groups: Groups;
  readonly presence: Presence;
  report(error: unknown, group: string, channel: AnyChannel): void;
  readonly states: States;
  /** A member of the group goes on in another process. */
  keep(group: string): void;
}

export class StoreMembers<Attachment, Out> {
  readonly #options: StoreMembersOptions<Attachment, Out>;
  /** Channels of another implementation whose `onClose` has been called. */
  readonly #asked = new WeakSet<AnyChannel>();

  constructor(options: StoreMembersOptions<Attachment, Out>) {
    this.#options = options;
  }

  /** Adds a channel to a group. A channel that is a member already gets the attachment and the presence alone. */
  join(name: string, channel: AnyChannel, attachment: Attachment | undefined, options: JoinOptions<Out>): void {
    const { groups, presence, onJoin } = this.#options;
    const info = options.presence === undefined ? undefined : presencePayload(options.presence);
    const group = groups.open(name);
    const known = group.find(channel);
    const member =
      known ?? new Member(group, channel, toState(options, implementationOf(channel)?.cursors !== undefined));
    member.attachment = attachment;
    const { since } = options;
    let begin: (() => void) | undefined;
    if (known === undefined) {
      this.#add(group, member);
      begin = beginOf(group, member, since);
    }
    if (info !== undefined) presence.enter(name, member, info);
    if (known !== undefined && options.snapshot !== undefined) {
      const { snapshot, snapshotTimeoutMs } = options;
      this.#options.states.supply(group, known, snapshot, snapshotTimeoutMs);
    }
    if (known !== undefined || member.hasLeft) return;
    this.#tell(onJoin, group, member);
    if (!member.hasLeft) begin?.();
  }

  /** Does nothing for a member that has left. */
  leave(member: Member): void {
    const { groups, presence, onLeave } = this.#options;
    const group = member.group as Group;
    if (!group.remove(member)) return;
    endAsking(member);
    presence.leave(group.name, member);
    groups.memberLeft(group);
    if (!(member.state instanceof PollState)) this.#tell(onLeave, group, member);
  }

  /** Closes a member or adds it to another group, if the control concerns it. Never throws. */
  carryOut(member: Member, control: MemberControl): void {
    const { channel, attachment, state } = member;
    if (!concerns(control, attachment)) return;
    try {
      if (control.kind === "disconnect") channel.close(control.code, control.reason);
      else {
        const { withIds, onReset } = state instanceof JoinState ? state.options : NO_SETTINGS;
        const present = state instanceof JoinState ? state.present : undefined;
        const presence = present === undefined ? undefined : JSON.parse(utf8(present.payload));
        this.join(control.to, channel as GroupMember<Out>, attachment as Attachment, {
          ids: withIds,
          onReset,
          presence,
        });
        if (!control.keep) {
          this.leave(member);
          tellCursor(member, (member.group as Group).name, {});
        }
      }
    } catch (error) {
      this.#options.report(error, (member.group as Group).name, channel);
    }
  }

  /** Ends a membership that goes on in another process. Nobody is told. */
  moveOut(member: Member): MovedMember {
    const { groups, presence } = this.#options;
    const group = member.group as Group;
    const since = group.positionOf(member);
    const present = presence.release(group.name, member);
    this.#options.keep(group.name);
    group.remove(member);
    endAsking(member);
    groups.memberLeft(group);
    const { attachment, state } = member;
    const source = state instanceof JoinState ? state.source : undefined;
    const withIds = state instanceof JoinState && state.options.withIds;
    const awaitsCursor = state instanceof JoinState && state.awaitsCursor;
    const tellsReset = state instanceof JoinState && state.options.tellsReset;
    return {
      ...{ group: group.name, since, isReset: state?.isReset === true, withIds, awaitsCursor, tellsReset },
      ...{ present, hasStates: source !== undefined, make: source?.make, timeoutMs: source?.timeoutMs },
      onReset: state instanceof JoinState ? state.options.onReset : undefined,
      attachment: this.#toJson(attachment, group.name, member.channel),
    };
  }

  /** An attachment that JSON cannot express stays here. */
  #toJson(attachment: unknown, group: string, channel: AnyChannel): unknown {
    try {
      return toJsonValue(attachment);
    } catch (error) {
      this.#options.report(error, group, channel);
      return undefined;
    }
  }

  /** Adds a channel that was a member in another process. The messages that it has not received come first. Nobody is told. */
  moveIn(channel: AnyChannel, moved: MovedMember): void {
    const { group: name, since, isReset, withIds, present, attachment } = moved;
    const { groups, presence } = this.#options;
    const group = groups.open(name);
    if (group.find(channel) !== undefined) return;
    const cursors = implementationOf(channel)?.cursors;
    const { onReset } = moved;
    const state = new JoinState({ withIds, tellsReset: cursors === undefined || moved.tellsReset, onReset });
    state.isCatchingUp = true;
    if (!moved.awaitsCursor) state.toldUpTo = since;
    // Without a position nobody knows what it has not received.
    state.isReset = isReset || since === undefined;
    if (moved.hasStates) {
      state.source = new StateSource();
      // JSON makes null of Infinity.
      state.source.set(moved.make, moved.timeoutMs ?? undefined);
    }
    const member = new Member(group, channel, state);
    member.attachment = attachment;
    this.#add(group, member);
    if (present !== undefined) presence.enterMoved(name, member, present);
    if (moved.awaitsCursor && cursors !== undefined) awaitCursor(group, member, state, { cursors, start: since });
    else if (state.source === undefined) group.catchUp(member, state, since);
    // The application may give its function in `restored`, which is called next.
    else queueMicrotask(() => goOn(group, member, state, since));
  }

  /** Our own channels report their end to their memberships; other implementations are asked with `onClose`. */
  #add(group: Group, member: Member): void {
    const { channel } = member;
    group.add(member);
    if (member.implementation !== undefined || this.#asked.has(channel)) return;
    this.#asked.add(channel);
    channel.onClose(() => {
      this.#asked.delete(channel);
      endMemberships(channel);
    });
  }

  #tell(callback: ChannelStoreOptions<Attachment, Out>["onJoin"], { name }: Group, member: Member): void {
    if (callback === undefined) return;
    const { channel, attachment } = member;
    void guard(
      () => callback(name, channel as GroupMember<Out>, attachment as Attachment | undefined),
      (error) => this.#options.report(error, name, channel),
    );
  }
}

/** Continues a member that receives a state when entries are lost for it. */
function goOn(group: Group, member: Member, state: JoinState, since: string | undefined): void {
  if (member.hasLeft) return;
  const { stream } = group;
  group.catchUp(member, state, since, since === undefined ? stream.replay(since) : replayAfter(stream, since));
}

function endAsking({ state }: Member): void {
  if (state instanceof JoinState) state.source?.end();
}

/** Returns the function that sends the member the messages which it has missed; undefined if it receives new ones only. */
function beginOf(group: Group, member: Member, since: string | null | undefined): (() => void) | undefined {
  const { state, implementation } = member;
  const cursors = implementation?.cursors;
  const hasStates = state instanceof JoinState && state.source !== undefined;
  if (cursors !== undefined) {
    if (since === undefined) return joinWithCursor(group, member, cursors);
    if (since === "" && !hasStates && state instanceof JoinState)
      return () => joinFromStart(group, member, state, cursors);
    // The application knows better where its client was.
    cursors.whenTold(() => void cursors.take(group.name));
    if (since === null && !hasStates) return tellStart(group, member);
  }
  if (hasStates && typeof since !== "string") return () => group.ask(member, { isReset: false });
  if (since === undefined && group.startsWithValues) {
    member.state ??= new JoinState();
    member.state.isCatchingUp = true;
    return () => group.catchUpNew(member);
  }
  if (since === undefined || since === null || state === undefined) return undefined;
  return () => group.catchUp(member, state, since);
}
