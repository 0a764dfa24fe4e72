// The groups that a channel has joined, kept with the channel: a list while they are few, which costs an idle channel
// nothing, and a table from some number on, so that clients which choose the names of groups cannot make finding and
// leaving slow.

import type { AnyChannel } from "../channel/channel.ts";
import type { Membership } from "../channel/memberships.ts";
import { TransportChannel } from "../channel/transport-channel.ts";
import type { Group } from "./group.ts";
import type { Member } from "./member.ts";

/** The longest list. */
const MAX_LISTED = 32;

/** The memberships of a channel that has, or once had, more of them than a list takes. */
class MembershipTable implements Membership {
  /** In the order in which they were joined, or last changed. */
  readonly byGroup: Map<Group, Member> = new Map();

  channelEnded(): void {
    const members = [...this.byGroup.values()];
    const [any] = members;
    if (any !== undefined) endAll(any.channel, members);
  }
}

/** The memberships of channels of another make, which have no place for them. */
const FOREIGN = new WeakMap<AnyChannel, Member | MembershipTable>();

/** The channel's membership of a group. */
export function findMember(channel: AnyChannel, group: Group): Member | undefined {
  const first = joinedOf(channel);
  if (first instanceof MembershipTable) return first.byGroup.get(group);
  let member = first;
  while (member !== undefined && member.group !== group) member = member.next;
  return member;
}

/** Adds a membership, of a group that the channel is not in. */
export function link(member: Member): void {
  const { channel, group } = member;
  const first = joinedOf(channel);
  if (first instanceof MembershipTable) {
    first.byGroup.set(group, member);
    return;
  }
  if (first === undefined || !isFull(first)) {
    member.next = first;
    setJoined(channel, member);
    return;
  }
  const table = new MembershipTable();
  for (const known of oldestFirst(first)) {
    known.next = undefined;
    table.byGroup.set(known.group, known);
  }
  table.byGroup.set(group, member);
  setJoined(channel, table);
}

export function unlink(member: Member): void {
  const { channel, group } = member;
  let before = joinedOf(channel);
  if (before instanceof MembershipTable) {
    // After the channel's end the group may have been joined anew.
    if (before.byGroup.get(group) === member) before.byGroup.delete(group);
    if (before.byGroup.size === 0) setJoined(channel, undefined);
    return;
  }
  if (before === member) setJoined(channel, member.next);
  else {
    while (before !== undefined && before.next !== member) before = before.next;
    if (before !== undefined) before.next = member.next;
  }
  member.next = undefined;
}

/** The channel has ended: so have all its memberships, in the order in which they were joined, or last changed. */
export function endMemberships(channel: AnyChannel): void {
  joinedOf(channel)?.channelEnded();
}

/** Ends the members of a list. */
export function endListed(first: Member): void {
  endAll(first.channel, oldestFirst(first));
}

function endAll(channel: AnyChannel, members: readonly Member[]): void {
  // All leave the channel at once: to take the oldest out of a list each time would be to walk all of it.
  setJoined(channel, undefined);
  for (const member of members) member.group.ended(member);
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

function joinedOf(channel: AnyChannel): Member | MembershipTable | undefined {
  if (channel instanceof TransportChannel) return channel.memberships as Member | MembershipTable | undefined;
  return FOREIGN.get(channel);
}

function setJoined(channel: AnyChannel, joined: Member | MembershipTable | undefined): void {
  if (channel instanceof TransportChannel) channel.memberships = joined;
  else if (joined === undefined) FOREIGN.delete(channel);
  else FOREIGN.set(channel, joined);
}
