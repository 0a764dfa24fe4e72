// The part of a server that its channels use: its clock, its limits, and the reporter of errors.

import type { Clock } from "../base/clock.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { Heartbeat } from "../transport/transport.ts";
import type { AnyChannel } from "./channel.ts";
import type { RateExceeded, RateSettings } from "./rate-gate.ts";

/** The callback or the part of the library that failed. */
export type ErrorSource =
  | "handler"
  | "upgrade"
  | "open"
  | "message"
  | "request"
  | "ping"
  | "pong"
  | "drain"
  | "dropped"
  | "close"
  | "resumed"
  | "lost"
  | "transport"
  | "save"
  | "restored"
  | "signal"
  | "send"
  | "connection"
  | "sessions"
  | "listener";

/** The effect of a send when `bufferedAmount` has reached `maxBufferedBytes`. */
export type OverflowPolicy = "close" | "drop";

export interface ChannelSettings {
  readonly maxBufferedBytes: number;
  readonly onOverflow: OverflowPolicy;
  readonly heartbeat: Heartbeat;
  /** Undefined if the rate of messages is not limited. */
  readonly rates?: RateSettings | undefined;
}

/** Counts the messages of all channels so far. */
export interface MessageCounts {
  received: number;
  sent: number;
}

/** A channel as its server knows it. */
export interface ServedChannel {
  /** The channel that the application has. */
  readonly publicChannel: AnyChannel;
}

export interface ChannelContext {
  readonly clock: Clock;
  /** Counts the unsent bytes of all channels: `maxTotalBufferedBytes`. */
  readonly buffered: BufferBudget;
  /** Counts the bytes of received messages that wait for the application: `maxTotalReceivedBytes`. */
  readonly received: BufferBudget;
  readonly messages: MessageCounts;
  report(error: unknown, context: { readonly source: ErrorSource; readonly channel: AnyChannel }): void;
  /** A send found the channel full; the policy was applied. */
  channelOverflowed(channel: ServedChannel, policy: OverflowPolicy): void;
  /** A message came faster than it may; the policy is applied next. */
  rateExceeded(channel: ServedChannel, exceeded: RateExceeded): void;
  /** A channel was closed because the identity of its client has ended. */
  channelExpired(): void;
  /** The last callback of the channel has run. */
  channelEnded(channel: ServedChannel, status: CloseStatus): void;
}
