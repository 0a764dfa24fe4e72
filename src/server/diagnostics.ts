// The topics on which a server publishes its events through node:diagnostics_channel, for tracers, access logs and meters.
// The names begin with `unichannel:`, as undici's begin with `undici:`; docs/reference/diagnostics.md lists them.
// `observer.ts` publishes the events.

import { channel as topicOf } from "node:diagnostics_channel";
import type { ChannelError } from "../base/errors.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { OverflowPolicy } from "../channel/context.ts";
import type { RateLimitName } from "../channel/rate-gate.ts";
import type { RatePolicy } from "../channel/rate-limits.ts";
import type { ErrorContext } from "../request/context.ts";
import type { ChannelRequest } from "../request/request.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { TransportKind } from "../transport/transport.ts";
import type { BaseServer } from "./server.ts";

/** A connection as diagnostics show it. Opening and closing have the same object. */
export interface DiagnosticsConnection {
  /** An id for logs, unique like `request.id`. */
  readonly id: string;
  /** The address of the peer, which may be a proxy. Undefined on a Unix socket. */
  readonly remoteAddress: string | undefined;
  /** True for a connection with TLS. */
  readonly isEncrypted: boolean;
}

/** The message of each topic. The objects in it are the server's own: read them only. */
export interface DiagnosticsMessages {
  /** The server has started: it listens, if it does so itself. */
  "unichannel:server.start": { readonly server: BaseServer };
  /** The server has stopped. */
  "unichannel:server.stop": { readonly server: BaseServer; readonly durationMs: number };
  /** A connection was accepted; with TLS, after the handshake. */
  "unichannel:connection.open": { readonly server: BaseServer; readonly connection: DiagnosticsConnection };
  /** A connection has ended. `durationMs`: how long it was open. */
  "unichannel:connection.close": {
    readonly server: BaseServer;
    readonly connection: DiagnosticsConnection;
    readonly durationMs: number;
  };
  /** A connection was refused: `maxConnections`, or the server was stopping. */
  "unichannel:connection.refuse": { readonly server: BaseServer; readonly remoteAddress: string | undefined };
  /** Published before the `upgrade` check and the handler, which run in the context of the stores bound to it (`bindStore`). */
  "unichannel:request.start": { readonly server: BaseServer; readonly request: ChannelRequest };
  /** The response has ended; a WebSocket's is its 101. */
  "unichannel:request.end": {
    readonly server: BaseServer;
    readonly request: ChannelRequest;
    /** Undefined if the client was gone before a response began. */
    readonly status: number | undefined;
    /** False if the response was broken off, or never began. */
    readonly isWhole: boolean;
    readonly durationMs: number;
  };
  /** A request that cannot be served was answered (malformed, too big, too late). No handler has seen it. */
  "unichannel:request.refuse": { readonly server: BaseServer; readonly error: ChannelError };
  /** Published before the setup runs. */
  "unichannel:channel.open": {
    readonly server: BaseServer;
    readonly channel: AnyChannel;
    readonly request: ChannelRequest;
  };
  /** Published after the last close handler. */
  "unichannel:channel.close": {
    readonly server: BaseServer;
    readonly channel: AnyChannel;
    readonly status: CloseStatus;
    readonly durationMs: number;
  };
  /** A send found the channel full: the channel is closed now, or the message was dropped. */
  "unichannel:channel.overflow": {
    readonly server: BaseServer;
    readonly channel: AnyChannel;
    readonly policy: OverflowPolicy;
  };
  /** A message came faster than it may: its channel is closed now, it was dropped, or it waits. `limit`: the option that says so. */
  "unichannel:channel.rate": {
    readonly server: BaseServer;
    readonly channel: AnyChannel;
    readonly policy: RatePolicy;
    readonly limit: RateLimitName;
  };
  /** A session has another carrier: its first, a new one after a loss, or one of another kind. Polls that follow one another are one. */
  "unichannel:session.attach": {
    readonly server: BaseServer;
    readonly channel: AnyChannel;
    /** The kind of the carrier. */
    readonly transport: TransportKind;
    /** False for the first carrier. */
    readonly isResumed: boolean;
    /** Messages that the client did not have, and that this carrier begins with. */
    readonly replayed: number;
  };
  /** The carrier of a session has ended, and the session waits for its client. Polls, each of which ends, are not told. */
  "unichannel:session.detach": {
    readonly server: BaseServer;
    readonly channel: AnyChannel;
    readonly transport: TransportKind;
    readonly status: CloseStatus;
  };
  /** A request has the token of a session that does not exist, or not any more: its client gets a new one, and is told. */
  "unichannel:session.lost": { readonly server: BaseServer; readonly request: ChannelRequest };
  /** A request is passed on to the process that has its session. */
  "unichannel:session.relay": { readonly server: BaseServer; readonly process: string };
  /** The server stops, and has put the channel's session into the session store; `isStored` is false if it could not. */
  "unichannel:session.store": { readonly server: BaseServer; readonly channel: AnyChannel; readonly isStored: boolean };
  /** A session was taken from the session store. */
  "unichannel:session.take": { readonly server: BaseServer };
  /** An error that `onError` or the logger is told of. */
  "unichannel:error": ErrorContext & { readonly server: BaseServer; readonly error: unknown };
}

/** A session moves. */
export type SessionEvent =
  | { readonly type: "relay"; readonly process: string }
  | { readonly type: "store"; readonly channel: AnyChannel; readonly isStored: boolean }
  | { readonly type: "take" };

export interface Topic<Message> {
  readonly hasSubscribers: boolean;
  publish(message: Message): void;
  runStores<Result>(message: Message, run: () => Result): Result;
}

/** The caller keeps a reference to the topic: Node drops a diagnostics channel without one. */
export function topic<Name extends keyof DiagnosticsMessages>(name: Name): Topic<DiagnosticsMessages[Name]> {
  return topicOf(name) as unknown as Topic<DiagnosticsMessages[Name]>;
}
