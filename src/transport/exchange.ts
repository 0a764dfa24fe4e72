// The seam below the Channel: one request and its response.
//
// The Channel, the handler and everything above know HTTP through this interface alone. Our own engine implements it
// in `http1/exchange.ts`; an adapter for another server (node:http, HTTP/2, Bun, Deno) implements the same and gets
// the whole Channel. An adapter translates and never decides: the rules of answers are above, in
// `transport/http/transport.ts`, `transport/http/sse.ts` and `request/accept.ts`.

import type { ResponseHead } from "../codec/http1-response.ts";
import type { WebSocketRequestKind } from "../codec/ws-handshake.ts";
import type { Compression } from "../protocol/compression.ts";
import type { EncodedBody } from "../protocol/encoded-message.ts";
import type { ByteStream } from "./io/byte-stream.ts";
import type { Transport } from "./transport.ts";

/** The head of a request, as any server has read it. */
interface ExchangeHead {
  readonly method: string;
  /** The request target as it was sent. */
  readonly target: string;
  /** Name, value, name, value, …: names as sent, one entry per field line. */
  readonly fields: readonly string[];
  /** The `Host` field (HTTP/2: `:authority`), an empty string if there was none. */
  readonly host: string;
  /** The minor version of HTTP/1. */
  readonly minor: 0 | 1;
}

export interface WebSocketOptions {
  /** Longest message in bytes, inflated and joined; a longer one closes with 1009. */
  readonly maxMessageBytes: number;
  /** Most fragments of one message that may be of any size; more of less than 64 bytes close with 1008. */
  readonly maxFragments: number;
  /** Most pings and pongs in a second; more close with 1008. @default Infinity */
  readonly maxControlFramesPerSecond?: number;
  /** How long a peer may take to answer a close frame before TCP is dropped, in milliseconds. */
  readonly closeTimeoutMs: number;
  /** How long a message may take from its first byte, in milliseconds; longer at 1 KiB/s. @default Infinity */
  readonly messageTimeoutMs?: number;
  /** The compression that the handshake agreed on; without it no message is compressed. */
  readonly compression?: Compression | undefined;
}

/** One request and its response. Used by one owner, once. */
export interface Exchange {
  readonly head: ExchangeHead;
  /** "1.0", "1.1", "2.0". */
  readonly httpVersion: string;
  readonly scheme: "http" | "https";
  readonly remoteAddress: string | undefined;
  /** The way in which the client asks for the WebSocket protocol; undefined if it does not. */
  readonly webSocketRequest: WebSocketRequestKind | undefined;
  /** True if the request announces a body. */
  readonly hasBody: boolean;
  /** True once a response has begun, or the exchange can no longer be answered. */
  readonly isAnswered: boolean;
  /** True if the client has ended its side or is gone: it may not read the answer. */
  readonly isClientGone: boolean;
  /** Bytes of this response that the client's connection has not taken yet. */
  readonly bufferedAmount: number;
  /** Memory of unsent data beyond `bufferedAmount`: a message that is partly sent is kept as a whole. */
  readonly pinnedBytes?: number;
  /** True while the connection is not read, because the application does not take the bytes: its end is not noticed then. */
  readonly isReadingPaused?: boolean;
  /** Receives the events of the connection. */
  listener: ExchangeListener | undefined;
  /** CORS fields of every response, in addition to its own: with them a page of another origin may read it. */
  corsFields: readonly string[] | undefined;
  /** Fields of the channel's options: a refusal of this request has them, too, except those that describe content. */
  refusalFields: readonly string[];

  /** The next part of the request's body, or undefined at its end. The body is read only as far as it is asked for. */
  readBody(): Promise<Uint8Array | undefined>;
  /**
   * Counts `bytes` of memory of a body that is collected, in `maxTotalReceivedBytes`. False if there is no room for them: the
   * request has been refused then.
   */
  holdsBody(bytes: number): boolean;

  /** A whole response with its `Content-Length`. `encoded`: the body, if many clients get this response. */
  respond(response: ResponseHead, body: string | Uint8Array | null, encoded?: EncodedBody): void;
  /** Begins a streamed response. False if it can have no body (HEAD, 204, 205, 304): it is complete then. */
  start(response: ResponseHead, length?: number): boolean;
  /** Bytes of a started body; an empty part writes nothing. `encoded`: the part, if many clients get it. */
  write(part: string | Uint8Array, encoded?: EncodedBody): void;
  /** Ends a started body. */
  end(): void;
  /** Writes the output now that waits for the end of the turn. */
  flush(): void;
  /** Drops the connection: the client sees that the response is incomplete. */
  abort(): void;
  /**
   * Finds out whether a client that has ended its side, or is not read (`isReadingPaused`), still reads: if it does not,
   * `onGone` follows soon. Does nothing if the server has no way to find out, or the response has begun.
   */
  probe(): void;
  /** Tells a client that waits for an answer that its request is in the right hands: an interim response. */
  sendInterim?(): void;
  /** The client has ended its side: drops the connection after a while in which nothing was written or unsent. */
  endWhenSilent(): void;

  /**
   * Switches to WebSocket: sends the 101 (HTTP/2: 200) with these fields, beside those of the HTTP version itself, and hands
   * the connection over. The handshake has been checked above. The transport delivers nothing until its `open` is called.
   */
  acceptWebSocket(fields: readonly string[], options: WebSocketOptions): Transport;

  /**
   * Switches to WebSocket like `acceptWebSocket`, for an owner that passes the bytes on as they are. It sets the listener of the
   * stream at once, and resumes it. Missing where the server keeps the bytes for itself.
   */
  acceptBytes?(fields: readonly string[]): SwitchedStream;
}

/** A connection that was handed over. */
export interface SwitchedStream {
  readonly stream: ByteStream;
  /** Bytes that arrived behind the request. */
  readonly rest: Uint8Array | undefined;
}

/** The part of an exchange that a response is written to. */
export type ResponseWriter = Pick<Exchange, "respond" | "start" | "write" | "end">;

export interface ExchangeListener {
  /** `bufferedAmount` came back to zero. */
  onDrain(): void;
  /** The client ended its side. It may still be reading (a half-close) or be gone. */
  onHalfClose(): void;
  /** The connection is gone before the response ended. `error` tells a failure from an orderly end. */
  onGone(error: Error | undefined): void;
}
