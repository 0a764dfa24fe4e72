// What the channels of one server share: its clock, its limits, and whom to tell of an error.

import type { Clock } from "../base/clock.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { Heartbeat } from "../transport/transport.ts";
import type { AnyChannel } from "./channel.ts";

/** Where an error came from. */
export type ErrorSource =
  | "handler"
  | "upgrade"
  | "open"
  | "message"
  | "ping"
  | "pong"
  | "drain"
  | "close"
  | "resumed"
  | "transport"
  | "send"
  | "connection"
  | "listener";

/** What happens to a send when `bufferedAmount` has reached `maxBufferedBytes`. */
export type OverflowPolicy = "close" | "drop";

export interface ChannelSettings {
  readonly maxBufferedBytes: number;
  readonly onOverflow: OverflowPolicy;
  readonly heartbeat: Heartbeat;
}

/** Messages of all channels so far. Plain numbers: each costs an addition, and somebody may read them now and then. */
export interface MessageCounts {
  received: number;
  sent: number;
}

export interface ChannelContext {
  readonly clock: Clock;
  /** What all channels together have unsent. */
  readonly budget: BufferBudget;
  /** Bytes that all clients together have sent and nobody has taken yet: `maxTotalReceivedBytes`. */
  readonly received: BufferBudget;
  readonly messages: MessageCounts;
  report(error: unknown, context: { readonly source: ErrorSource; readonly channel: AnyChannel }): void;
  /** A send found the channel full, and did what the policy says. */
  channelOverflowed(channel: AnyChannel, policy: OverflowPolicy): void;
  /** The last callback of the channel has run. */
  channelEnded(channel: AnyChannel, status: CloseStatus): void;
}
