// What a group knows of a member beside its attachment. Most members have no mark.

import type { AnyChannel } from "../channel/channel.ts";
import type { GroupEntry } from "./group-message.ts";

const NOTHING: readonly GroupEntry[] = [];

export class Mark {
  readonly channel: AnyChannel;
  attachment: unknown = undefined;
  /** `waiting`: it is catching up, and hears nothing live yet. `gone`: it has left. */
  state: "waiting" | "live" | "gone" = "waiting";
  /** It has had everything up to this id, of which the group has still to hear some. */
  after: string | undefined = undefined;
  /** Under which key it is present. */
  presence: string | undefined = undefined;

  constructor(channel: AnyChannel) {
    this.channel = channel;
  }
}

/** A member that asked for more than to hear what comes. */
export class Listener extends Mark {
  /** It gets each message as JSON with its id. */
  readonly isNumbered: boolean;
  /** It is told in its own stream when something was lost. */
  readonly tellsReset: boolean;
  readonly onReset: ((channel: AnyChannel) => unknown) | undefined;

  constructor(channel: AnyChannel, isNumbered: boolean, tellsReset: boolean, onReset: Listener["onReset"]) {
    super(channel);
    this.isNumbered = isNumbered;
    this.tellsReset = tellsReset;
    this.onReset = onReset;
  }
}

/** A request that is answered once, with all that is due. */
export class Poll extends Mark {
  /** Undefined: it is told where the stream is. */
  readonly since: string | undefined;
  readonly untilMs: number;
  found: readonly GroupEntry[] = NOTHING;
  isReset = false;
  /** Where its messages begin among those that came in this turn; -1: none has. */
  dueFrom = -1;

  constructor(channel: AnyChannel, since: string | undefined, untilMs: number) {
    super(channel);
    this.since = since;
    this.untilMs = untilMs;
  }
}
