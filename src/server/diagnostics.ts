// What happens in a server, for whoever listens with node:diagnostics_channel: tracers, access logs, meters of one's own.
// The names begin with `unichannel:`, as undici's do with `undici:`; docs/reference/diagnostics.md lists them.
// `observer.ts` publishes it.

import { channel as topicOf } from "node:diagnostics_channel";
import type { ChannelError } from "../base/errors.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { OverflowPolicy } from "../channel/context.ts";
import type { ErrorContext } from "../request/context.ts";
import type { ChannelRequest } from "../request/request.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { Server } from "./server.ts";

/** A connection as diagnostics show it: the same object when it opens and when it closes. */
export interface DiagnosticsConnection {
  /** A name for logs, unique like `request.id`. */
  readonly id: string;
  /** Of its other end, which may be a proxy. Undefined on a Unix socket. */
  readonly remoteAddress: string | undefined;
  /** True for a connection with TLS. */
  readonly isEncrypted: boolean;
}

/** What is published under each name. Objects are the living ones: look, do not change. */
export interface DiagnosticsMessages {
  /** It listens. */
  "unichannel:server.start": { readonly server: Server };
  /** It has stopped. */
  "unichannel:server.stop": { readonly server: Server; readonly durationMs: number };
  /** A connection was accepted; with TLS, after the handshake. */
  "unichannel:connection.open": { readonly server: Server; readonly connection: DiagnosticsConnection };
  /** A connection has ended. `durationMs`: how long it was open. */
  "unichannel:connection.close": {
    readonly server: Server;
    readonly connection: DiagnosticsConnection;
    readonly durationMs: number;
  };
  /** There was no room for it: `maxConnections`, or the server was stopping. */
  "unichannel:connection.refuse": { readonly server: Server; readonly remoteAddress: string | undefined };
  /** Before the handler runs, or the `upgrade` check: in the context of the stores that are bound to it (`bindStore`). */
  "unichannel:request.start": { readonly server: Server; readonly request: ChannelRequest };
  /** The response has ended; a WebSocket's is its 101. */
  "unichannel:request.end": {
    readonly server: Server;
    readonly request: ChannelRequest;
    /** Undefined: the client was gone before a response began. */
    readonly status: number | undefined;
    /** False: the response was broken off, or never began. */
    readonly isWhole: boolean;
    readonly durationMs: number;
  };
  /** What cannot be served was answered (malformed, too big, too late): no handler has seen it. */
  "unichannel:request.refuse": { readonly server: Server; readonly error: ChannelError };
  /** Before the setup runs. */
  "unichannel:channel.open": {
    readonly server: Server;
    readonly channel: AnyChannel;
    readonly request: ChannelRequest;
  };
  /** After the last close handler. */
  "unichannel:channel.close": {
    readonly server: Server;
    readonly channel: AnyChannel;
    readonly status: CloseStatus;
    readonly durationMs: number;
  };
  /** A send found the channel full: it is closed now, or the message was dropped. */
  "unichannel:channel.overflow": {
    readonly server: Server;
    readonly channel: AnyChannel;
    readonly policy: OverflowPolicy;
  };
  /** What `onError` or the logger is told. */
  "unichannel:error": ErrorContext & { readonly server: Server; readonly error: unknown };
}

export interface Topic<Message> {
  readonly hasSubscribers: boolean;
  publish(message: Message): void;
  runStores<Result>(message: Message, run: () => Result): Result;
}

export const SERVER_START: Topic<DiagnosticsMessages["unichannel:server.start"]> = topic("unichannel:server.start");
export const SERVER_STOP: Topic<DiagnosticsMessages["unichannel:server.stop"]> = topic("unichannel:server.stop");
export const CONNECTION_OPEN: Topic<DiagnosticsMessages["unichannel:connection.open"]> =
  topic("unichannel:connection.open");
export const CONNECTION_CLOSE: Topic<DiagnosticsMessages["unichannel:connection.close"]> =
  topic("unichannel:connection.close");
export const CONNECTION_REFUSE: Topic<DiagnosticsMessages["unichannel:connection.refuse"]> =
  topic("unichannel:connection.refuse");
export const REQUEST_START: Topic<DiagnosticsMessages["unichannel:request.start"]> = topic("unichannel:request.start");
export const REQUEST_END: Topic<DiagnosticsMessages["unichannel:request.end"]> = topic("unichannel:request.end");
export const REQUEST_REFUSE: Topic<DiagnosticsMessages["unichannel:request.refuse"]> =
  topic("unichannel:request.refuse");
export const CHANNEL_OPEN: Topic<DiagnosticsMessages["unichannel:channel.open"]> = topic("unichannel:channel.open");
export const CHANNEL_CLOSE: Topic<DiagnosticsMessages["unichannel:channel.close"]> = topic("unichannel:channel.close");
export const CHANNEL_OVERFLOW: Topic<DiagnosticsMessages["unichannel:channel.overflow"]> =
  topic("unichannel:channel.overflow");
export const ERROR: Topic<DiagnosticsMessages["unichannel:error"]> = topic("unichannel:error");

/** Node keeps a name's channel only as long as somebody holds it: these are held for good. */
function topic<Name extends keyof DiagnosticsMessages>(name: Name): Topic<DiagnosticsMessages[Name]> {
  return topicOf(name) as unknown as Topic<DiagnosticsMessages[Name]>;
}
