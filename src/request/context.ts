// What every channel and request of one server shares: its limits, its clock, and whom to tell of an error.

import type { Clock } from "../base/clock.ts";
import type { DebugLog } from "../base/debug-log.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { ChannelSettings, OverflowPolicy, TransportChannel } from "../channel/transport-channel.ts";
import type { Sessions } from "../session/registry.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { Exchange, WebSocketOptions } from "../transport/exchange.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { Access } from "./access.ts";
import type { ChannelRequest } from "./request.ts";
import type { UpgradeCheck } from "./upgrade.ts";

/** Where an error came from. */
export type ErrorSource =
  | "handler"
  | "upgrade"
  | "open"
  | "receive"
  | "ping"
  | "pong"
  | "drain"
  | "close"
  | "resumed"
  | "transport"
  | "send"
  | "connection"
  | "listener";

export interface ErrorContext {
  readonly source: ErrorSource;
  readonly request?: ChannelRequest;
  readonly channel?: AnyChannel;
}

export type ErrorReporter = (error: unknown, context: ErrorContext) => void;

/** Who made a request, and what it was asked for. */
export interface Client {
  /** Undefined where there is none (a Unix socket), or a proxy keeps it to itself. */
  readonly address: string | undefined;
  readonly scheme: "http" | "https";
  /** An authority, or an empty string. */
  readonly host: string;
}

/** Messages of all channels so far. Plain numbers: each costs an addition, and somebody may read them now and then. */
export interface MessageCounts {
  received: number;
  sent: number;
}

export interface ChannelContext {
  readonly clock: Clock;
  readonly report: ErrorReporter;
  readonly webSocket: WebSocketOptions;
  readonly channelSettings: ChannelSettings;
  /** What all channels together have unsent. */
  readonly budget: BufferBudget;
  /** Bytes that all clients together have sent and nobody has taken yet: `maxTotalReceivedBytes`. */
  readonly received: BufferBudget;
  /** Hosts, origins and CORS. */
  readonly access: Access;
  readonly messages: MessageCounts;
  readonly sessions: Sessions;
  /** Asked before the handler, for WebSockets. */
  readonly upgrade: UpgradeCheck | undefined;
  /** Whose the exchange is: the connection's own peer, or whom a trusted proxy names. */
  findClient(exchange: Exchange): Client;
  /** Lines for NODE_DEBUG; undefined: nobody reads them. */
  readonly debug: DebugLog | undefined;
  /** The library itself refuses a request. `why` has no secrets. */
  refused(request: ChannelRequest, status: number, why: string, code?: ErrorCode): void;
  /** A channel opened for a request; `channelEnded` follows when its last callback has run. */
  channelOpened(channel: TransportChannel, request: ChannelRequest): void;
  /** A send found the channel full, and did what the policy says. */
  channelOverflowed(channel: TransportChannel, policy: OverflowPolicy): void;
  channelEnded(channel: TransportChannel, status: CloseStatus): void;
}
