// The members of all groups of a store: how channels join and leave, and the callbacks that are told.

import { guard } from "../base/guard.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { ChannelStoreOptions, GroupMember, JoinOptions } from "./channel-store.ts";
import type { Group } from "./group.ts";
import type { Groups } from "./groups.ts";
import { Member, PollState, toState } from "./member.ts";
import { endMemberships } from "./memberships.ts";
import { type Presence, presencePayload } from "./presence.ts";

export interface StoreMembersOptions<Attachment, Out>
  extends Pick<ChannelStoreOptions<Attachment, Out>, "onJoin" | "onLeave"> {
  readonly groups: Groups;
  readonly presence: Presence;
  report(error: unknown, group: string, channel: AnyChannel): void;
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
    const member = known ?? new Member(group, channel, toState(options));
    member.attachment = attachment;
    if (known === undefined) this.#add(group, member);
    if (info !== undefined) presence.enter(name, member, info);
    if (known !== undefined || member.hasLeft) return;
    this.#tell(onJoin, group, member);
    const { since } = options;
    if (since === undefined || since === null || member.state === undefined || member.hasLeft) return;
    group.catchUp(member, member.state, since);
  }

  /** Does nothing for a member that has left. */
  leave(member: Member): void {
    const { groups, presence, onLeave } = this.#options;
    const group = member.group as Group;
    if (!group.remove(member)) return;
    presence.leave(group.name, member);
    groups.memberLeft(group);
    if (!(member.state instanceof PollState)) this.#tell(onLeave, group, member);
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
