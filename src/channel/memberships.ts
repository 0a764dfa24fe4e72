// What a channel belongs to. Groups keep it with the channel, and the channel tells it of its end: neither looks the other
// up in a table, which for polls that come and go by the thousand would cost more than all else that a group does.

export interface Membership {
  /** The channel has ended: this, and all behind it, are over. Never throws. */
  channelEnded(): void;
}

export interface Belonging {
  /** The first of a list, or a table: those who own it keep it. */
  memberships: Membership | undefined;
}
