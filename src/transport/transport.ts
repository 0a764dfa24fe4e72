// What a Channel sends and receives through: one conversation with one client, however it is carried.

import type { ResponseHead, SharedBody } from "../protocol/http1.ts";
import type { SharedFrames } from "../protocol/shared-frames.ts";
import type { CloseStatus } from "./close-status.ts";
import type { OutgoingRecord } from "./outgoing-record.ts";

/** `"poll"`: of a session, between one poll and the next too. */
export type TransportKind = "websocket" | "sse" | "http" | "poll";

/** One message on its way out, in the only shape that transports see. `status` and `fields` count once, on HTTP. */
export interface Outgoing {
  readonly status: number | undefined;
  /** Name, value, name, value, … */
  readonly fields: readonly string[];
  readonly body: string | Uint8Array | null;
  /** The other fields of a Server-Sent Event. */
  readonly event: EventMeta | undefined;
  /** The size of a streamed body in bytes, where it is known. */
  readonly length: number | undefined;
  /** Where the message is sent to many: what has been made of it so far. */
  readonly shared?: SharedForms | undefined;
}

/** The forms of a message on the wire. Each is made by the first transport that needs it, and serves all after it. */
export interface SharedForms extends SharedFrames {
  event: SharedPart | undefined;
  body: SharedPart | undefined;
  /** What sessions keep of it. */
  record: OutgoingRecord | undefined;
}

export interface SharedPart extends SharedBody {
  /** As it stands in the body of a response. */
  readonly data: string | Uint8Array;
  /** Of the response that it is the whole body of. */
  head: ResponseHead | undefined;
}

/** The fields of an event beside its data: WHATWG HTML §9.2.6. */
export interface EventMeta {
  readonly event?: string;
  readonly id?: string;
  readonly retry?: number;
}

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
  endsAfter(message: Outgoing): boolean;
  /** One whole message. `last`: the conversation ends with it, so HTTP may answer with a `Content-Length`. */
  send(message: Outgoing, last: boolean): void;
  /** A message in parts begins: an HTTP body, events, or the fragments of one WebSocket message. `last` as in `send`. */
  begin(message: Outgoing, last: boolean): void;
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
