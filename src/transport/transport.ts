// What a Channel sends and receives through: one conversation with one client, however it is carried.

import type { OutboundMessage } from "../protocol/outbound-message.ts";
import type { CloseStatus } from "./close-status.ts";

/** `"poll"`: of a session, between one poll and the next too. */
export type TransportKind = "websocket" | "sse" | "stream" | "poll";

/** When to ask whether the other end is there, and how long to wait for its answer. In milliseconds; 0: never. */
export interface Heartbeat {
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
}

export interface Transport {
  readonly kind: TransportKind;
  /** True where the conversation outlives its connections: messages only, no response. */
  readonly isSession?: boolean;
  /** Bytes sent that the client's connection has not taken yet. */
  readonly bufferedAmount: number;
  /** Memory that what is unsent keeps beyond `bufferedAmount`: of a message that is partly sent, all is kept. */
  readonly pinnedBytes?: number;
  /** Bytes of messages that arrived and that the listener did not take; only a session holds any. */
  readonly heldBytes?: number;
  /** Who is told. An end that came before is told at once. */
  listen(listener: TransportListener): void;
  /** Begins to deliver. Before this call, what arrives waits. */
  open(): void;
  /** The application has set up: an HTTP client that has ended its side and got no whole answer is taken to be gone. */
  settled(): void;
  /** What `last` is when the application does not say. */
  endsAfter(message: OutboundMessage): boolean;
  /** One whole message. `last`: the conversation ends with it, so HTTP may answer with a `Content-Length`. */
  send(message: OutboundMessage, last: boolean): void;
  /** A message in parts begins: an HTTP body, events, or the fragments of one WebSocket message. `last` as in `send`. */
  begin(message: OutboundMessage, last: boolean): void;
  part(data: string | Uint8Array): void;
  finish(): void;
  /** Ends the conversation where it is: the client must be able to tell that not all has come. */
  breakOff(code: number, reason: string): void;
  /** Sends a ping; does nothing where there is none. */
  ping(data: Uint8Array): void;
  /** Ends the conversation politely after everything sent. `transportClosed` follows. */
  close(code: number, reason: string): void;
  /** Drops the connection now. `transportClosed` follows. */
  terminate(): void;
  /** Somebody waits for `bufferedAmount` to become zero: a session asks its client to acknowledge at once. */
  hurry?(): void;
  /** Writes now what waits for the end of the turn: `bufferedAmount` is then what the system has not taken. */
  flush(): void;
  /** Called about once a second: keeps a silent conversation alive, and ends one whose other end is gone. */
  beat(now: number, heartbeat: Heartbeat): void;
  /** Stops delivering messages, and reading; `resume` goes on where it stopped. */
  pause(): void;
  resume(): void;
  /** The application has taken a message that had waited for it. Sessions acknowledge then. */
  messageTaken?(): void;
  /** The server is stopping: what only waits for a client to come back is over. */
  serverStops?(): void;
}

/** What a WebSocket can do beside: a session's messages are text behind a letter (PROTOCOL.md, "Records on WebSocket"). */
export interface TextTransport extends Transport {
  /** A text message that begins with `prefix`, which is ASCII. Joined before, both would be copied once more. */
  sendText(text: string, prefix: string): void;
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

/** Who is told of a session, beside what every transport tells. */
export interface SessionListener extends TransportListener {
  /** Messages that arrived and were not handed to the application yet. */
  readonly waitingMessages: number;
  /** The client is back on another connection. */
  resumed(): void;
  /** `kind` is another one. */
  transportChanged(): void;
}
