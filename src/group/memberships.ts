// The memberships of a channel, stored with the channel: a linked list while they are few, which costs an idle channel
// nothing, and a table when they are many, so that clients which choose the names of groups cannot make joining and leaving
// slow (one channel in 16,000 groups: 903 ms as a list).

import type { AnyChannel } from "../channel/channel.ts";
import type { Membership } from "../channel/membership.ts";
import { implementationOf } from "../channel/public-channel.ts";
import type { Member, MemberOwner } from "./member.ts";

/** The longest list. */
const MAX_LISTED = 32;

/** The memberships of a channel that has, or once had, more of them than a list holds. */
class MembershipTable implements Membership {
  /** Memberships in the order of joining. */
  readonly byGroup: Map<MemberOwner, Member> = new Map();

  channelEnded(): void {
    const members = [...this.byGroup.values()];
    const [any] = members;
    if (any !== undefined) endAll(any.channel, members);
  }
}

/** The memberships of channels of another implementation: such a channel has no field for them. */
const FOREIGN = new WeakMap<AnyChannel, Member | MembershipTable>();

/** Finds the channel's membership of a group. */
export function findMember(channel: AnyChannel, group: MemberOwner): Member | undefined {
  const first = membershipsOf(channel);
  if (first instanceof MembershipTable) return first.byGroup.get(group);
  let member = first;
  while (member !== undefined && member.group !== group) member = member.next;
  return member;
}

/** Adds a membership of a group that the channel is not in. */
export function link(member: Member): void {
  const { channel, group } = member;
  const first = membershipsOf(channel);
  if (first instanceof MembershipTable) {
    first.byGroup.set(group, member);
    return;
  }
  if (first === undefined || !isFull(first)) {
    member.next = first;
    setMemberships(channel, member);
    return;
  }
  const table = new MembershipTable();
  for (const known of oldestFirst(first)) {
    known.next = undefined;
    table.byGroup.set(known.group, known);
  }
  table.byGroup.set(group, member);
  setMemberships(channel, table);
}

export function unlink(member: Member): void {
  const { channel, group } = member;
  let before = membershipsOf(channel);
  if (before instanceof MembershipTable) {
    // A callback of the channel's end may have joined the group again.
    if (before.byGroup.get(group) === member) before.byGroup.delete(group);
    if (before.byGroup.size === 0) setMemberships(channel, undefined);
    return;
  }
  if (before === member) setMemberships(channel, member.next);
  else {
    while (before !== undefined && before.next !== member) before = before.next;
    if (before !== undefined) before.next = member.next;
  }
  member.next = undefined;
}

/** Ends all memberships of a channel that has ended, in the order of joining. */
export function endMemberships(channel: AnyChannel): void {
  membershipsOf(channel)?.channelEnded();
}

/** Ends the memberships of a list. */
export function endListed(first: Member): void {
  if (first.next !== undefined) {
    endAll(first.channel, oldestFirst(first));
    return;
  }
  // Most channels are in one group. A list of it would be garbage for each answered poll.
  setMemberships(first.channel, undefined);
  first.group.memberEnded(first);
}

/** The memberships of a channel, oldest first. */
export function membersOf(channel: AnyChannel): readonly Member[] {
  const first = membershipsOf(channel);
  if (first === undefined) return [];
  return first instanceof MembershipTable ? [...first.byGroup.values()] : oldestFirst(first);
}

function endAll(channel: AnyChannel, members: readonly Member[]): void {
  // The list is cut off at once: unlinking the oldest first would walk all of it each time.
  setMemberships(channel, undefined);
  for (const member of members) member.group.memberEnded(member);
}

function oldestFirst(first: Member): Member[] {
  const members: Member[] = [];
  for (let member: Member | undefined = first; member !== undefined; member = member.next) members.push(member);
  return members.reverse();
}

function isFull(first: Member): boolean {
  let count = 0;
  for (let member: Member | undefined = first; member !== undefined; member = member.next) count += 1;
  return count >= MAX_LISTED;
}

function membershipsOf(channel: AnyChannel): Member | MembershipTable | undefined {
  const holder = implementationOf(channel);
  if (holder !== undefined) return holder.memberships as Member | MembershipTable | undefined;
  return FOREIGN.get(channel);
}

function setMemberships(channel: AnyChannel, memberships: Member | MembershipTable | undefined): void {
  const holder = implementationOf(channel);
  if (holder !== undefined) holder.memberships = memberships;
  else if (memberships === undefined) FOREIGN.delete(channel);
  else FOREIGN.set(channel, memberships);
}
