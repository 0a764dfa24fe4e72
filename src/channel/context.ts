// What every channel and request of one server shares: its limits, its clock, and whom to tell of an error.

import type { Clock } from "../base/clock.ts";
import type { WebSocketOptions } from "../transport/exchange.ts";
import type { Channel } from "./channel.ts";
import type { AllowedOrigins } from "./origin.ts";
import type { ChannelRequest } from "./request.ts";
import type { ChannelSettings, TransportChannel } from "./transport-channel.ts";

/** Where an error came from. */
export type ErrorSource =
  | "handler"
  | "response"
  | "open"
  | "receive"
  | "ping"
  | "pong"
  | "drain"
  | "close"
  | "send"
  | "connection"
  | "listener";

export interface ErrorContext {
  readonly source: ErrorSource;
  readonly request?: ChannelRequest;
  readonly channel?: Channel;
}

export type ErrorReporter = (error: unknown, context: ErrorContext) => void;

export interface ChannelContext {
  readonly clock: Clock;
  readonly report: ErrorReporter;
  readonly webSocket: WebSocketOptions;
  readonly channelSettings: ChannelSettings;
  readonly allowedOrigins: AllowedOrigins;
  /** A channel opened; `channelEnded` follows when its last callback has run. */
  channelOpened(channel: TransportChannel): void;
  channelEnded(channel: TransportChannel): void;
}
