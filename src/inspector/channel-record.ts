// A channel as the inspector knows it: where it came from, and its timeline.

import { detached } from "../base/bytes.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import type { ChannelRow, ClosedRow, Kind, TimelineEvent } from "./page/wire.ts";
import { Ring } from "./ring.ts";

/** Events of one timeline. */
export const MAX_EVENTS = 100;
/** Longest text that is shown of a path. */
const MAX_PATH = 200;
const MAX_PATHS = 1000;

/** Paths that were seen, each once in memory: thousands of channels share a few. */
const paths = new Map<string, string>();

export class ChannelRecord {
  readonly id: string;
  readonly openedAt: number;
  readonly path: string;
  readonly address: string;
  readonly isSession: boolean;
  /** Undefined once it has ended: the record must not keep the channel in memory. */
  channel: TransportChannel | undefined;
  /** The session has no carrier. */
  isAway = false;
  /** Seen with much unsent in the last sample. */
  isSlow = false;
  /** Told to be behind. */
  isBehind = false;
  /** The time at which it was last told that its client sends too fast. */
  exceededAt: number = Number.NEGATIVE_INFINITY;
  closed: ClosedRow | undefined = undefined;
  /** Undefined for most channels: nothing has happened since they were opened. */
  events: Ring<TimelineEvent> | undefined = undefined;
  #transport: Kind;

  /** `request`: undefined for a channel that was open before the inspector. */
  constructor(
    channel: TransportChannel,
    openedAt: number,
    request?: { readonly path: string; readonly remoteAddress: string | undefined },
  ) {
    this.id = channel.id;
    this.channel = channel;
    this.openedAt = openedAt;
    this.path = request === undefined ? "" : kept(request.path);
    this.address = request?.remoteAddress === undefined ? "" : detached(request.remoteAddress);
    this.isSession = channel.canHoldBack;
    this.#transport = channel.transport;
  }

  get transport(): Kind {
    return this.channel?.transport ?? this.#transport;
  }

  get unsent(): number {
    return this.channel?.bufferedAmount ?? 0;
  }

  add(event: TimelineEvent): void {
    this.events ??= new Ring(MAX_EVENTS);
    this.events.push(event);
  }

  end(closed: ClosedRow): void {
    this.#transport = this.transport;
    this.channel = undefined;
    this.closed = closed;
  }

  row(): ChannelRow {
    const { id, transport, isSession, isAway, path, address, openedAt, unsent, closed } = this;
    const row = { id, transport, isSession, isAway, path, address, openedAt, unsent };
    return closed === undefined ? row : { ...row, closed };
  }
}

function kept(path: string): string {
  const short = path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}…` : path;
  const known = paths.get(short);
  if (known !== undefined) return known;
  const own = detached(short);
  if (paths.size < MAX_PATHS) paths.set(own, own);
  return own;
}
