// The seam below a channel: one conversation with one client. A channel never asks which kind of transport it has: each
// difference between them is a method or a property of this interface. `kind` is only reported, as by `PublicChannel`.

import type { RequestContent } from "../codec/request-record.ts";
import type { OutboundMessage } from "../protocol/outbound-message.ts";
import type { CloseStatus } from "./close-status.ts";
import type { GroupCursors } from "./group-cursors.ts";
import type { IncomingRequest, SessionRequests } from "./requests.ts";

/**
 * `"poll"`: a session over polls, also between two of them. A new kind is counted and shown in several places: see
 * CONTRIBUTING.md, "A new transport".
 */
export type TransportKind = "websocket" | "sse" | "stream" | "poll";

/** The silence after which a ping is sent, and the time for its answer. In milliseconds; 0: never. */
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

/** A transport, and the listener that it needs. A missing method is one that would do nothing, and return false. */
export interface Transport<Listener extends TransportListener = TransportListener> {
  /** Only reported: to applications, counts and logs. */
  readonly kind: TransportKind;
  /** The name in logs, if it is not the kind. */
  readonly logName?: string;
  readonly messageForm: MessageForm;
  /** True if the exchange has handed its connection over, and does not learn of the end of the conversation. */
  readonly outlivesExchange?: boolean;
  /** True if messages that the listener does not take are held back here, so that their client waits. */
  readonly holdsMessages?: boolean;
  /** Set if the client keeps the cursors of its groups: messages of groups have their ids then, and `GroupNews` is sent. */
  readonly cursors?: GroupCursors | undefined;
  /** Set if the client takes requests: `OutboundRequest` is sent as any message. */
  readonly requests?: SessionRequests | undefined;
  /** Bytes sent that the client's connection has not taken yet. */
  readonly bufferedAmount: number;
  /** Memory of unsent data beyond `bufferedAmount`: a message that is partly sent is kept as a whole. */
  readonly pinnedBytes?: number;
  /** Bytes of the messages that are held back. */
  readonly heldBytes?: number;
  /** Sets the listener. An end that came before is reported at once. */
  listen(listener: Listener): void;
  /** Begins to deliver. Bytes that arrive before this call wait. */
  open(): void;
  /** The application has set up: an HTTP client that has ended its side and got no whole answer is taken to be gone. */
  setupDone?(): void;
  /** Returns true for a message that ends the conversation if the application does not decide. */
  closesByDefault?(message: OutboundMessage): boolean;
  /** One whole message. `sendLast` is not a parameter of it: that cost 1 % of an echo's instructions (bench/micro/versus). */
  send(message: OutboundMessage): void;
  /**
   * One text message that never closes: `send` without an object for the message, which took 5 % of the instructions of an echo on
   * Node (docs/decisions/0046). A transport without this verb gets the text by `send`.
   */
  sendText?(text: string): void;
  /**
   * One text message of `prefix` and `text`; `prefix` is ASCII. Only a transport that need not join the two for that has this
   * verb: V8 copies a joined string when it is looked through, which made echoes of 1 KiB on a session 6 % slower.
   */
  sendPrefixed?(prefix: string, text: string): void;
  /** One whole message, with which the conversation ends. */
  sendLast(message: OutboundMessage): void;
  /** A message in parts begins: an HTTP body, events, or the fragments of one WebSocket message. */
  begin?(message: OutboundMessage, position: Position): void;
  part(data: string | Uint8Array): void;
  finish?(): void;
  /**
   * Answers a request that has no answer yet, and ends with the status `end`, by default that of any answer. False if no request
   * waits for one. Throws BAD_HEADER.
   */
  refuse?(answer: OutboundMessage, end?: CloseStatus): boolean;
  /** Ends the conversation without the messages that wait: the client must be able to tell that it is incomplete. */
  fail(code: number, reason: string): void;
  /** Sends a ping. False if the transport has no pings. */
  ping?(data: Uint8Array): boolean;
  /** Ends the conversation politely after everything sent. `transportClosed` follows. */
  close(code: number, reason: string): void;
  /** Closes because the server is stopping. Tells the client to come back after `comeBackMs`, if the transport can. */
  goodbye(comeBackMs: number): void;
  /** Drops the connection now. `transportClosed` follows. */
  terminate(): void;
  /** The identity of the client ends at another date; undefined: never. A session tells its client. */
  expiryChanged?(expiresAt: number | undefined): void;
  /** Asks for `bufferedAmount` to become zero soon: a session asks its client to acknowledge at once. */
  hurry?(): void;
  /** Writes the output now that waits for the end of the turn: `bufferedAmount` then has only bytes that the system refused. */
  flush(): void;
  /** Called about once a second: keeps a silent conversation alive, and ends one whose client is gone. */
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
  /** True if the application waits for a reply of the client. */
  readonly awaitsReply: boolean;
  /** A request of the client, in its order among the messages. */
  requestArrived(request: IncomingRequest): void;
  /** The `reply` or `error` to a request of this end; not in order with messages that wait. Throws BAD_RECORD if it is malformed. */
  replyArrived(content: RequestContent): void;
  /** The client is back on another connection. */
  resumed(): void;
  /** `kind` is another one. */
  transportChanged(): void;
}
