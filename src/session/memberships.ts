// The memberships of a channel, as far as a session that moves knows of them: groups are above this layer.

import type { AnyChannel } from "../channel/channel.ts";

/** The groups of a session's channel. */
export interface MembershipMover {
  /** Ends the channel's memberships, and tells nobody. Returns what `join` needs: JSON. */
  leave(channel: AnyChannel): readonly unknown[];
  /** Joins the groups again, from the messages on that the channel has not received. */
  join(channel: AnyChannel, memberships: readonly unknown[]): void;
}
