// The seam below a channel: one conversation with one client, however it is carried. A channel never asks
// which kind of transport it has: what differs between them is a verb or a fact of this interface. `kind` is only reported,
// as by `PublicChannel`.

import type { OutboundMessage } from "../protocol/outbound-message.ts";
import type { CloseStatus } from "./close-status.ts";

/** `"poll"`: of a session, between one poll and the next too. */
export type TransportKind = "websocket" | "sse" | "stream" | "poll";

/** When to ask whether the other end is there, and how long to wait for its answer. In milliseconds; 0: never. */
export interface Heartbeat {
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
}

/**
 * The form that the bodies of messages take. `"message"`: each message of its own, text or bytes. `"event"`: each an event,
 * which is text. `"body"`: the bytes of all messages, joined to the body of one response.
 */
export type MessageForm = "message" | "event" | "body";

/** `"last"`: the conversation ends with this message, so HTTP may answer with a `Content-Length`. */
export type Position = "last" | "more";

/** A transport, and the listener that it needs. A verb that is missing would do nothing; those that answer mean false. */
export interface Transport<Listener extends TransportListener = TransportListener> {
  /** Only reported: to applications, counts and logs. */
  readonly kind: TransportKind;
  /** The name in logs, where it is not the kind. */
  readonly logName?: string;
  readonly messageForm: MessageForm;
  /** True where the request's exchange has handed its connection over, and does not see the end of the conversation. */
  readonly outlivesExchange?: boolean;
  /** True where messages that the listener does not take are held back here, so that their client waits. */
  readonly holdsMessages?: boolean;
  /** Bytes sent that the client's connection has not taken yet. */
  readonly bufferedAmount: number;
  /** Memory that what is unsent keeps beyond `bufferedAmount`: of a message that is partly sent, all is kept. */
  readonly pinnedBytes?: number;
  /** Bytes of the messages that are held back. */
  readonly heldBytes?: number;
  /** Sets the listener. An end that came before is reported at once. */
  listen(listener: Listener): void;
  /** Begins to deliver. Before this call, what arrives waits. */
  open(): void;
  /** The application has set up: an HTTP client that has ended its side and got no whole answer is taken to be gone. */
  setupDone?(): void;
  /** Whether a message ends the conversation when the application does not say. */
  closesByDefault?(message: OutboundMessage): boolean;
  /** One whole message. Two verbs, not a parameter: that one is 1 % of an echo's instructions (bench/micro/versus). */
  send(message: OutboundMessage): void;
  /** One whole message, with which the conversation ends. */
  sendLast(message: OutboundMessage): void;
  /** A message in parts begins: an HTTP body, events, or the fragments of one WebSocket message. */
  begin?(message: OutboundMessage, position: Position): void;
  part(data: string | Uint8Array): void;
  finish?(): void;
  /** Answers a request that has no answer so far, and ends. False where no request waits for one. Throws BAD_HEADER. */
  refuse?(answer: OutboundMessage): boolean;
  /** Ends the conversation where it is: the client must be able to tell that not all has come. */
  fail(code: number, reason: string): void;
  /** Sends a ping. False where there is none to send. */
  ping?(data: Uint8Array): boolean;
  /** Ends the conversation politely after everything sent. `transportClosed` follows. */
  close(code: number, reason: string): void;
  /** The same because the server is stopping: tells the client to come back after `comeBackMs` where that can be told. */
  goodbye(comeBackMs: number): void;
  /** Drops the connection now. `transportClosed` follows. */
  terminate(): void;
  /** Asks for `bufferedAmount` to become zero soon: a session asks its client to acknowledge at once. */
  hurry?(): void;
  /** Writes now what waits for the end of the turn: `bufferedAmount` is then what the system has not taken. */
  flush(): void;
  /** Called about once a second: keeps a silent conversation alive, and ends one whose other end is gone. */
  tick(now: number, heartbeat: Heartbeat): void;
  /** Stops delivering messages, and reading; `resume` goes on where it stopped. */
  pause?(): void;
  resume?(): void;
  /** The application has taken a message that had waited for it. Sessions acknowledge then. */
  messageTaken?(): void;
  /** The server is stopping: a session whose client is away ends, as its client cannot come back. */
  serverStops?(): void;
}

export interface TransportListener {
  messageArrived(data: string | Uint8Array): void;
  pingArrived(data: Uint8Array): void;
  pongArrived(data: Uint8Array): void;
  /** `bufferedAmount` came back to zero. */
  bufferEmptied(): void;
  /** The conversation is over. Called once, last. */
  transportClosed(status: CloseStatus): void;
}

/** The listener of a session. */
export interface SessionListener extends TransportListener {
  /** Messages that arrived and were not handed to the application: those that wait, and those that its close has dropped. */
  readonly undeliveredMessages: number;
  /** The client is back on another connection. */
  resumed(): void;
  /** `kind` is another one. */
  transportChanged(): void;
}
