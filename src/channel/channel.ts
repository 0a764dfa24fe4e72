// The contract of a Channel: one conversation with one client, over any transport. `transport-channel.ts` implements it.

import type { HandledRequest } from "../base/handled-request.ts";
import type { RequestOptions } from "../protocol/asked-requests.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { TransportKind } from "../transport/transport.ts";
import type { PreparedMessage } from "./prepared-message.ts";
import type { SendData, SendOptions } from "./send-data.ts";

/** A message from the client: text as a string, binary as bytes. */
export type Message = string | Uint8Array;

/**
 * The callbacks of a channel, given together. An exception of one of them is reported to `error`, or to the server's `onError`;
 * the other callbacks still run. With a codec, callbacks receive and send the application's values: `In` and `Out`.
 */
export interface ChannelHandlers<In = Message, Out = SendData, Attachment = unknown> {
  /** The channel is open. Messages wait until a returned promise settles. */
  open?: ((channel: Channel<In, Out, Attachment>) => unknown) | undefined;
  /** A message arrived. The next message waits until a returned promise settles. */
  message?: ((message: In, channel: Channel<In, Out, Attachment>) => unknown) | undefined;
  /** The same as `message`; giving both is BAD_OPTION. */
  receive?: ((message: In, channel: Channel<In, Out, Attachment>) => unknown) | undefined;
  /** A WebSocket ping arrived; its pong has been sent. */
  ping?: ((data: Uint8Array, channel: Channel<In, Out, Attachment>) => unknown) | undefined;
  /** A WebSocket pong arrived. */
  pong?: ((data: Uint8Array, channel: Channel<In, Out, Attachment>) => unknown) | undefined;
  /** `bufferedAmount` has come back to zero. */
  drain?: ((channel: Channel<In, Out, Attachment>) => unknown) | undefined;
  /**
   * So many messages of the client came faster than they may, and were dropped, since the last call (`onRateExceeded`). Called about
   * once a second while there are any, and before `close`.
   */
  dropped?: ((count: number, channel: Channel<In, Out, Attachment>) => unknown) | undefined;
  /** The channel is closed. Runs once, after every other callback. */
  close?: ((status: CloseStatus, channel: Channel<In, Out, Attachment>) => unknown) | undefined;
  /** Another callback threw, or a stream that was sent failed. Without this handler the server's `onError` is called. */
  error?: ((error: unknown, channel: Channel<In, Out, Attachment>) => unknown) | undefined;
}

/** A session that its client had, and that nobody has any more. Everything in it is what the client says. */
export interface LostSession {
  /**
   * The number of the last record that the client has received of it: of messages, and of news of groups. What was sent after it
   * has not arrived, unless it was a message of a group whose history has it. 0: nothing has arrived.
   */
  readonly received: number;
  /** The number of groups whose messages the client can continue: each goes on when the channel is added to it. */
  readonly groups: number;
}

/** The callbacks of a session's channel (`openSession`). */
export interface SessionHandlers<In = Message, Out = SendData, Attachment = unknown>
  extends ChannelHandlers<In, Out, Attachment> {
  /**
   * Before `open` of a new session: its client had another one, which is lost. Its process has died, or the client was away for too
   * long, or has another identity now. `open` waits until a returned promise settles.
   */
  lost?: ((info: LostSession, channel: Channel<In, Out, Attachment>) => unknown) | undefined;
  /**
   * The client asks. The result, or that of the promise, is the reply; undefined is an empty text. Called once for each request, in
   * order with the messages; messages and further requests do not wait for the promise. An exception is reported as that of
   * `message`, and the client learns REQUEST_FAILED; a `RequestError` goes to the client alone.
   */
  request?:
    | ((
        data: In,
        channel: Channel<In, Out, Attachment>,
        request: HandledRequest,
      ) => Out | PromiseLike<Out | undefined> | undefined)
    | undefined;
  /** The client is back on another connection; no message was lost. */
  resumed?: ((channel: Channel<In, Out, Attachment>) => unknown) | undefined;
  /**
   * The server stops, and the session goes on in another process (`sessions` of `serve`). Returns what that process needs to know of
   * the client: a JSON value, or a promise of one. The last callback here: no `close` follows. If it throws, the session ends.
   */
  save?: ((channel: Channel<In, Out, Attachment>) => unknown) | undefined;
  /**
   * The session has come from another process, in place of `open`, with what `save` returned there: undefined if there is no `save`.
   * Messages wait until a returned promise settles.
   */
  restored?: ((channel: Channel<In, Out, Attachment>, state: unknown) => unknown) | undefined;
  /** The session has moved to another kind of transport. */
  transport?: ((kind: TransportKind, channel: Channel<In, Out, Attachment>) => unknown) | undefined;
}

/** The names of `SessionHandlers`. Those of a plain channel are among them; `resumed` and `transport` never happen to one. */
export const HANDLER_NAMES: readonly (keyof SessionHandlers)[] = [
  ...(["open", "message", "receive", "ping", "pong", "drain"] as const),
  ...(["close", "error", "resumed", "transport", "save", "restored", "lost", "request", "dropped"] as const),
];

/** A channel with messages and an attachment of any type. */
export type AnyChannel = Channel<unknown, never>;

/**
 * One conversation with one client. Each exchange has a channel of its own, which is never used again. Callbacks never
 * overlap: open, then each message, then close.
 * `In` is the type of received messages and `Out` of sent ones: messages, or with a codec values of the application.
 * `Attachment` is the type of `attachment`.
 */
export interface Channel<out In = Message, in Out = SendData, out Attachment = unknown>
  extends AsyncIterable<In, undefined> {
  /**
   * An id for logs, made on first use. No other channel or request of this process has it, nor, in all likelihood, of
   * another process. It can be guessed, so it is not a secret.
   */
  readonly id: string;
  /** True until `close` is called, a send ends the response, or the client leaves. */
  readonly isOpen: boolean;
  /** True if a WebSocket carries the channel; of a session, at the moment. */
  readonly isWebSocket: boolean;
  /** The kind of transport that carries the channel; a session's may change. */
  readonly transport: TransportKind;
  /** Bytes sent that the client's connection has not taken yet. */
  readonly bufferedAmount: number;
  /**
   * The date at which the identity of the client ends, in milliseconds since the Unix epoch; undefined if it does not end. From the
   * option `expiresAt`; each carrier of a session brings a new one. Set it to let the channel live longer or end earlier: at
   * the date, or half a second later, the channel is closed with 4401. Setting it throws BAD_OPTION for what is no date.
   */
  get expiresAt(): number | undefined;
  set expiresAt(date: number | Date | undefined);
  /** For frameworks whose handlers must return a Fetch `Response`: the answer is the channel's. */
  readonly response: Response;
  /**
   * Aborts as soon as nothing more can be sent: when the client has left, also while an async setup or a message handler is
   * running, and when the channel was closed here. A stream that `send` has taken goes on after `close`, and the signal
   * aborts at its end. `signal.reason` is a ChannelError: CLIENT_GONE or CHANNEL_CLOSED. Pass it to the producer of the
   * messages: `fetch(url, { signal: channel.signal })`. Made on first use.
   */
  readonly signal: AbortSignal;
  /**
   * A value of the application, for data about this client. Its first value is the option
   * `attachment`, or what the server's `upgrade` check returned as `attachment`. @default undefined
   */
  attachment: Attachment;

  /**
   * Sends a message. Returns true if it was taken, and false if the channel is closed or its overflow policy dropped it.
   * Throws for data that cannot be sent (BAD_DATA, BAD_STATUS, BAD_HEADER, with a codec BAD_MESSAGE) and for unknown options
   * (BAD_OPTION); the channel stays open then. With a codec any data but the result of `prepare` is a value for the codec.
   * A boolean is the option `close`.
   */
  send(data: Out | PreparedMessage, options?: SendOptions | boolean): boolean;

  /**
   * Asks the client of a session, in order with the messages. Resolves with the reply of its `onRequest` handler, which is called
   * once. Rejects with a ChannelError: REQUEST_FAILED, REQUEST_REFUSED (a `RequestError`), REQUEST_UNHANDLED, REPLY_TIMEOUT,
   * REQUEST_LOST (the session has ended, or has moved to another process), BAD_MESSAGE, and without having sent anything
   * REQUESTS_UNSUPPORTED (no session, or a client without requests), TOO_MANY_REQUESTS, BUFFER_OVERFLOW, CHANNEL_CLOSED, BAD_DATA
   * and BAD_OPTION; or with the reason of its signal.
   */
  request(data: Out, options?: RequestOptions): Promise<In>;

  /**
   * Closes politely, after everything sent: a WebSocket with its closing handshake, a response with its end (an empty
   * 204 if nothing was sent). Returns true for the call that closed the channel, and false ever after.
   * `code` (default 1000) and `reason` go to a WebSocket's client and, everywhere, into the `CloseStatus`.
   * Throws BAD_CLOSE for a code other than 1000–1003, 1007–1014, 3000–4999, or a reason over 123 bytes.
   */
  close(code?: number, reason?: string): boolean;

  /** Drops the connection now; unsent data is lost. */
  terminate(): void;

  /** Sends a WebSocket ping with up to 125 bytes. Returns false if the channel is closed or no WebSocket carries it. */
  ping(data?: string | Uint8Array): boolean;

  /**
   * Writes at once what waits for the end of the turn. Resolves at that end if `bufferedAmount` is zero, and otherwise when it is, or
   * when the channel is closed.
   */
  drained(): Promise<void>;

  /**
   * Sets the message handler; a second one throws HANDLER_EXISTS. Set it during setup: after setup, messages without a
   * handler are dropped. What a codec refuses is reported as if `fn` had thrown it.
   * Returns a function that removes the handler.
   */
  onMessage(fn: (message: In, channel: Channel<In, Out, Attachment>) => unknown): () => void;

  /**
   * Sets the handler of the client's requests (`request` of `openSession`); a second one throws HANDLER_EXISTS.
   * Returns a function that removes the handler.
   */
  onRequest(fn: NonNullable<SessionHandlers<In, Out, Attachment>["request"]>): () => void;

  /** `onMessage` under the name of the page that this library implements. */
  onReceive(fn: (message: In, channel: Channel<In, Out, Attachment>) => unknown): () => void;

  /**
   * Adds a close handler. It runs once, last, with the real status; at once if the channel has ended already.
   * Returns a function that removes the handler.
   */
  onClose(fn: (status: CloseStatus, channel: Channel<In, Out, Attachment>) => unknown): () => void;

  /** Sets the ping handler; the pong is sent anyway. Returns a function that removes the handler. */
  onPing(fn: (data: Uint8Array, channel: Channel<In, Out, Attachment>) => unknown): () => void;

  /** Sets the pong handler. Returns a function that removes the handler. */
  onPong(fn: (data: Uint8Array, channel: Channel<In, Out, Attachment>) => unknown): () => void;

  /**
   * Sets the drain handler, which is called each time `bufferedAmount` has come back to zero.
   * Returns a function that removes the handler.
   */
  onDrain(fn: (channel: Channel<In, Out, Attachment>) => unknown): () => void;

  /**
   * Sets the handler that is told how many messages were dropped because of their rate: see the handler `dropped`.
   * Returns a function that removes the handler.
   */
  onDropped(fn: (count: number, channel: Channel<In, Out, Attachment>) => unknown): () => void;

  /** Iterates over messages: reading pauses while the loop is busy. Ends when the channel does. Throws HANDLER_EXISTS. */
  [Symbol.asyncIterator](): AsyncIterableIterator<In, undefined>;
}
