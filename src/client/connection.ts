// The contract of the client's end of a session. `converse.ts` implements it.

import type { CloseStatus } from "../protocol/close-status.ts";
import type { BackoffOptions } from "./backoff.ts";
import type { CarrierKind } from "./carrier.ts";
import type { EndpointOptions } from "./endpoint.ts";
import type { Environment } from "./environment.ts";
import type { Sharing } from "./sharing.ts";

/** Text as a string, binary as bytes. */
export type Message = string | Uint8Array;

/** Data that can be sent without a codec. Bytes are copied. */
export type Sendable = string | ArrayBuffer | ArrayBufferView;

/**
 * `connecting` until the first carrier is open; `reconnecting` while another is looked for; `offline` is the same, while
 * the browser says that there is no network; `closed` is the end.
 */
export type ConnectionState = "connecting" | "open" | "reconnecting" | "offline" | "closed";

/** Says how the session began or went on, each time that a connection is open. */
export interface Opening<Out = Sendable> {
  /**
   * `new`: the first one. `resumed`: nothing was lost. `lost`: the server no longer has the session (it was away for too
   * long, or has restarted), and a new one has begun; its messages meanwhile are lost, but for those of groups whose
   * history the server still has: they arrive next, in order.
   */
  readonly session: "new" | "resumed" | "lost";
  /** The kind of transport that carries it. */
  readonly transport: CarrierKind;
  /**
   * The messages of a lost session that were sent and not acknowledged: they may or may not have arrived. Send them again
   * if you want to. Messages that were never sent go out in the new session without your doing.
   */
  readonly unacknowledged: readonly Out[];
}

/** The close status, as on a server's channels, and the messages that may be lost. */
export interface ConnectionClose<Out = unknown> extends CloseStatus {
  /** The end that closed the connection. */
  readonly by: "client" | "server";
  /**
   * The messages that were sent and not acknowledged, if the server has ended the connection, or there was no carrier when
   * you closed it. Absent if there are none. After your own close they may still arrive: see `drained`.
   */
  readonly unacknowledged?: readonly Out[];
}

/** The result of `requests()`. Its members are not for applications. */
export interface Requests {
  /** Makes the session of a connection with requests. */
  readonly Session: new (
    conversation: () => never,
  ) => object;
}

/** The options of `connect`. */
export interface ConnectOptions extends EndpointOptions {
  /** The transports that may carry the session, best first. @default ["websocket", "sse", "poll"] */
  readonly carriers?: readonly CarrierKind[] | undefined;
  /** Unacknowledged bytes at which `send` returns false. From 1 to Infinity. @default 1 MiB */
  readonly maxBufferedBytes?: number | undefined;
  /** Between attempts: full jitter, up to 500 ms, 1 s, 2 s … 30 s. */
  readonly backoff?: BackoffOptions | undefined;
  /** Closes the connection when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called with one readable line for each attempt, carrier, resumption, loss, failure and close; true prints them with
   * `console.log`. No line has the session's token.
   */
  readonly debug?: boolean | ((line: string) => void) | undefined;
  /** `requests()`: the connection has `request` and `onRequest` then. @default none, and they are no part of the page */
  readonly requests?: Requests | undefined;
  /**
   * One connection for all tabs of a browser: `tabs({ user })` of `unichannel/tabs`. @default each connection has a session of
   * its own. Not together with `requests`
   */
  readonly share?: Sharing | undefined;
  /** Time and chance, for tests. */
  readonly environment?: Environment | undefined;
}

/** A session, as its client has it: it survives its connections. */
export interface Connection<In = Message, Out = Sendable> extends AsyncIterable<In, undefined> {
  /** `connecting` before the first opening, `open`, `reconnecting` without a connection, `closed` for ever. */
  readonly state: ConnectionState;
  /** The transport in use; undefined unless `state` is `open`. */
  readonly transport: CarrierKind | undefined;
  /** Bytes that the server has not acknowledged. */
  readonly bufferedAmount: number;
  /** The first opening. Rejects with CONNECTION_CLOSED if the connection ends before; you need not handle that. */
  readonly opened: Promise<Opening<Out>>;
  /** The end. Never rejects. */
  readonly closed: Promise<ConnectionClose<Out>>;

  /**
   * Sends a message, now or when there is a connection. True if it was taken; false if the connection is closed or
   * `maxBufferedBytes` are unacknowledged. Throws BAD_DATA (also for shared memory and a buffer that was transferred) or,
   * with a codec, BAD_MESSAGE; nothing else changes then.
   */
  send(data: Out): boolean;

  /**
   * Closes after the messages that were sent. True for the call that closed it. Code 1000 or 3000 to 4999, reason up to 123
   * bytes, else BAD_CLOSE. No message arrives after it. Without a carrier, sent messages still go out if one opens within 10 s;
   * `drained` resolves if they did.
   */
  close(code?: number, reason?: string): boolean;

  /**
   * Resolves when the server has all sent messages. Rejects with CONNECTION_CLOSED if the client cannot learn that any more:
   * the connection has ended, or the session is lost. You need not handle that.
   */
  drained(): Promise<void>;

  /**
   * Each of these adds a function, and returns a function that removes it. As with an EventTarget, functions that are added
   * or removed while an event is delivered do not get it. Their exceptions and rejections go to `onError`.
   */
  onMessage(fn: (message: In) => void): () => void;
  /** Each time a carrier has the session: the first, after a loss, and when it moves to a better one. */
  onOpen(fn: (opening: Opening<Out>) => void): () => void;
  /** Calls `fn` with each new state. Returns a function that removes the listener. */
  onState(fn: (state: ConnectionState) => void): () => void;
  /**
   * Messages of this group are lost, usually because its history did not reach back to the last one that has arrived. Those that
   * are kept follow. Only groups of members without `onReset`, `since` and `ids` on the server are told here.
   */
  onReset(fn: (group: string) => void): () => void;
  /** Once, last; soon, if the connection is closed already. */
  onClose(fn: (close: ConnectionClose<Out>) => void): () => void;
  /**
   * Reports errors of your functions, messages that the codec refused (BAD_MESSAGE), a server that breaks the protocol, and, as
   * CONNECT_FAILED: each round of attempts in which no carrier opened (the text and its cause have the attempts and their
   * answers), an open carrier with an answer that no session gives, or that ended before it had carried anything, and a session
   * that is lost again at once.
   */
  onError(fn: (error: unknown) => void): () => void;

  /**
   * Messages, in a loop; ends when the connection does. While 64 messages or 256 KiB wait for the loop nothing is
   * acknowledged, and the server keeps its messages, up to its own `maxBufferedBytes`.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<In, undefined>;
}
