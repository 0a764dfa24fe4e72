// The context that the requests of one server share: rules, limits, and the reporting of errors.

import type { DebugLog } from "../base/debug-log.ts";
import type { ErrorCode } from "../base/errors.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { ChannelContext, ChannelSettings, ErrorSource } from "../channel/context.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import type { WebSocketOptions } from "../transport/exchange.ts";
import type { Access } from "./access-rules.ts";
import type { ClientFinder } from "./client.ts";
import type { ChannelRequest } from "./request.ts";
import type { ServerRates } from "./server-rates.ts";
import type { UpgradeCheck } from "./upgrade-check.ts";

/** Says where an error came from. */
export interface ErrorContext {
  /** The callback or the part of the library that failed. */
  readonly source: ErrorSource;
  /** The request, where the error belongs to one and there is no channel. */
  readonly request?: ChannelRequest;
  /** The channel, where the error belongs to one. */
  readonly channel?: AnyChannel;
}

/** The type of the option `onError` of `serve`. */
export type ErrorReporter = (error: unknown, context: ErrorContext) => void;

export interface RequestContext extends ClientFinder, ChannelContext {
  readonly report: ErrorReporter;
  readonly webSocket: WebSocketOptions;
  readonly channelSettings: ChannelSettings;
  /** How fast clients may send. */
  readonly rates: ServerRates;
  /** Hosts, origins and CORS. */
  readonly access: Access;
  /** The application's check of WebSockets, called before the handler. */
  readonly upgrade: UpgradeCheck | undefined;
  /** Prints lines for NODE_DEBUG; undefined if it is not set. */
  readonly debug: DebugLog | undefined;
  /** The library itself refuses a request. `why` has no secrets. */
  refused(request: ChannelRequest, status: number, why: string, code?: ErrorCode): void;
  /** A channel was made for a request; `channelEnded` follows when its last callback has run. */
  channelOpened(channel: TransportChannel, request: ChannelRequest): void;
}

/**
 * The context of the server that made a request. The type of the request has only the method that the request calls: most types
 * of the context name the request, so with the whole type the files would import each other.
 */
export function contextOf(request: ChannelRequest): RequestContext {
  return request.context as RequestContext;
}
