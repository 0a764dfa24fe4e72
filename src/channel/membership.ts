// The link from a channel to the groups that it has joined. The channel stores it and reports its end through it, so that
// no table is needed: for thousands of polls, looking them up would cost more than all other work of a group.

export interface Membership {
  /** The channel has ended: it leaves all its groups. Never throws. */
  channelEnded(): void;
}

export interface MembershipHolder {
  /** The first of a list, or a table. Written by `group/memberships.ts` only. */
  memberships: Membership | undefined;
}
