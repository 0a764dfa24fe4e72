// The contract of a Channel: one conversation with one client, over any transport. `transport-channel.ts` implements it.

import type { CloseStatus } from "../transport/close-status.ts";
import type { TransportKind } from "../transport/transport.ts";
import type { PreparedMessage } from "./prepared-message.ts";
import type { SendData } from "./send-data.ts";

/** A message from the client: text as a string, binary as bytes. */
export type Message = string | Uint8Array;

/**
 * All callbacks of a channel. An exception or rejection of one of them is reported, and affects no other. With a codec they
 * receive and send values of the application: `In` and `Out`.
 */
export interface ChannelHandlers<In = Message, Out = SendData> {
  /** The channel is open. Messages wait until a returned promise settles. */
  open?: ((channel: Channel<In, Out>) => unknown) | undefined;
  /** A message. The next one waits until a returned promise settles. */
  receive?: ((message: In, channel: Channel<In, Out>) => unknown) | undefined;
  /** A ping arrived; its pong has been sent. */
  ping?: ((data: Uint8Array, channel: Channel<In, Out>) => unknown) | undefined;
  pong?: ((data: Uint8Array, channel: Channel<In, Out>) => unknown) | undefined;
  /** `bufferedAmount` has come back to zero. */
  drain?: ((channel: Channel<In, Out>) => unknown) | undefined;
  /** The channel is closed. Runs once, after everything else. */
  close?: ((status: CloseStatus, channel: Channel<In, Out>) => unknown) | undefined;
  /** Another callback threw, or a stream that was sent failed. Without this handler the server's `onError` is called. */
  error?: ((error: unknown, channel: Channel<In, Out>) => unknown) | undefined;
}

/** The callbacks of a session's channel (`openSession`). */
export interface SessionHandlers<In = Message, Out = SendData> extends ChannelHandlers<In, Out> {
  /** The client is back on another connection; nothing was lost. */
  resumed?: ((channel: Channel<In, Out>) => unknown) | undefined;
  /** The session has moved to another kind of transport. */
  transport?: ((kind: TransportKind, channel: Channel<In, Out>) => unknown) | undefined;
}

/** A channel with any types of messages. */
export type AnyChannel = Channel<unknown, never>;

/**
 * One object per exchange, never used again. Callbacks never overlap: open, then each message, then close. `In` is the type
 * of received messages, `Out` of sent ones: with a codec these are values of the application.
 */
export interface Channel<out In = Message, in Out = SendData> extends AsyncIterable<In, undefined> {
  /**
   * An id for logs, made on first use. It is unique among the channels and requests of this process and, in all likelihood,
   * of other processes. It can be guessed.
   */
  readonly id: string;
  /** True until `close` is called, a send ends the response, or the client leaves. */
  readonly isOpen: boolean;
  readonly isWebSocket: boolean;
  /** The kind of transport. */
  readonly transport: TransportKind;
  /** Bytes sent that the client's connection has not taken yet. */
  readonly bufferedAmount: number;
  /** For frameworks whose handlers must return a Fetch `Response`: it means "the channel answers". */
  readonly response: Response;
  /**
   * Aborts as soon as nothing more can be sent: when the client has left, also while an async setup or a receiver is
   * running, and when the channel was closed here. A stream that `send` has taken goes on after `close`, and the signal
   * aborts at its end. `signal.reason` is a ChannelError: CLIENT_GONE or CHANNEL_CLOSED. Pass the signal to the source of
   * the messages: `fetch(url, { signal: channel.signal })`. Made on first use.
   */
  readonly signal: AbortSignal;
  /** One free slot for the application. */
  attachment: unknown;

  /**
   * Sends a message. True if it was taken; false if the channel is closed or its overflow policy dropped it.
   * Throws only for data that cannot be sent (BAD_DATA, BAD_STATUS, BAD_HEADER, with a codec BAD_MESSAGE); the channel
   * stays open then. With a codec `data` is a value of the application; the result of `prepare` is sent unchanged.
   * `closeAfterSend` defaults to true on plain HTTP and false on WebSockets and event streams.
   */
  send(data: Out | PreparedMessage, closeAfterSend?: boolean): boolean;

  /**
   * Closes politely, after everything sent: a WebSocket with its closing handshake, a response with its end (an empty
   * 204 if nothing was sent). True for the call that closed the channel, false ever after.
   * `code` (default 1000) and `reason` go to a WebSocket's client and, everywhere, into the `CloseStatus`.
   * Throws BAD_CLOSE for a code other than 1000–1003, 1007–1014, 3000–4999, or a reason over 123 bytes.
   */
  close(code?: number, reason?: string): boolean;

  /** Drops the connection now; unsent messages are lost. */
  terminate(): void;

  /** Sends a WebSocket ping with up to 125 bytes. False if the transport has no pings, or the channel is closed. */
  ping(data?: string | Uint8Array): boolean;

  /** Resolves when `bufferedAmount` is zero, or the channel is closed. */
  drained(): Promise<void>;

  /**
   * Sets the receiver of messages; a second one throws HANDLER_EXISTS. Set it during setup: later, messages without a
   * receiver are dropped. An error of a codec is reported like an error of `fn`.
   */
  onReceive(fn: (message: In, channel: Channel<In, Out>) => unknown): void;

  /** Adds a close handler: runs once, last, with the real status; at once if the channel has ended already. */
  onClose(fn: (status: CloseStatus, channel: Channel<In, Out>) => unknown): void;

  /** Sets the handler of pings; pongs are sent in any case. */
  onPing(fn: (data: Uint8Array, channel: Channel<In, Out>) => unknown): void;

  /** Sets the handler of pongs. */
  onPong(fn: (data: Uint8Array, channel: Channel<In, Out>) => unknown): void;

  /** Sets the handler that is called each time `bufferedAmount` has come back to zero. */
  onDrain(fn: (channel: Channel<In, Out>) => unknown): void;

  /** Iterates over the messages: reading pauses while the loop is busy. Ends with the channel. */
  [Symbol.asyncIterator](): AsyncIterableIterator<In, undefined>;
}
