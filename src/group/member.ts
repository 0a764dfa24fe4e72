// A channel in a group, and what the group knows of it: of most members nothing but its attachment.

import type { Listed } from "../base/roster.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { Membership } from "../channel/memberships.ts";
import type { Group } from "./group.ts";
import type { GroupEntry } from "./group-message.ts";
import { endListed } from "./joined.ts";

const NOTHING: readonly GroupEntry[] = [];

export class Member implements Listed, Membership {
  /** In its group; -1: it has left. */
  place = -1;
  readonly group: Group;
  readonly channel: AnyChannel;
  attachment: unknown = undefined;
  /** The membership that its channel has had for longer, while they are few enough for a list. */
  next: Member | undefined = undefined;

  constructor(group: Group, channel: AnyChannel) {
    this.group = group;
    this.channel = channel;
  }

  get isGone(): boolean {
    return this.place === -1;
  }

  channelEnded(): void {
    endListed(this);
  }
}

/** A member of which more is known. */
export class Mark extends Member {
  /** It is catching up, and hears nothing live yet. */
  isWaiting = false;
  /** Something was lost, and it is still to be told. */
  isReset = false;
  /** It has had everything up to this id, of which the group has still to hear some. */
  after: string | undefined = undefined;
  /** Under which key it is present. */
  presence: string | undefined = undefined;
}

/** A member that asked for more than to hear what comes. */
export class Listener extends Mark {
  /** It gets each message as JSON with its id. */
  isNumbered = false;
  /** It is told in its own stream when something was lost. */
  tellsReset = false;
  onReset: ((channel: AnyChannel) => unknown) | undefined = undefined;
}

/** A request that is answered once, with all that is due. */
export class Poll extends Mark {
  /** Undefined: it is told where the stream is. */
  readonly since: string | undefined;
  readonly untilMs: number;
  found: readonly GroupEntry[] = NOTHING;
  /** Where its messages begin among those that came in this turn; -1: none has. */
  dueFrom = -1;

  constructor(group: Group, channel: AnyChannel, since: string | undefined, untilMs: number) {
    super(group, channel);
    this.since = since;
    this.untilMs = untilMs;
    this.isWaiting = true;
  }
}
