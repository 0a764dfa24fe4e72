// The Exchange of HTTP/2: one request on one stream. Once its response has ended every call on it does nothing.
// Long because reading the body, answering and the end share the state of one stream.

import { type Piece, utf8Bytes, utf8Length } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import { OutputSource } from "../../base/output.ts";
import { fieldsBeside, joinFields, withoutContentFields, withPageFields } from "../../codec/field-list.ts";
import { type ResponseHead, statusHasBody } from "../../codec/http1-response.ts";
import type { WebSocketRequestKind } from "../../codec/ws-handshake.ts";
import type { EncodedBody } from "../../protocol/encoded-message.ts";
import type { Exchange, ExchangeListener, WebSocketOptions } from "../exchange.ts";
import type { Http1Context } from "../http1/driver.ts";
import { Inactivity } from "../http1/inactivity.ts";
import { ReceivedMemory } from "../http1/received-memory.ts";
import type { Flushable } from "../io/flusher.ts";
import { FLUSH_BYTES } from "../limits.ts";
import type { Transport } from "../transport.ts";
import { WebSocketTransport } from "../websocket/transport.ts";
import type { Http2RequestHead } from "./request-head.ts";
import { toResponseFields } from "./response-head.ts";
import { RESET, type ResponseFields } from "./server-stream.ts";
import type { Http2Stream, Http2StreamListener } from "./stream.ts";

const NO_FIELDS: readonly string[] = [];

/** The part of a server that all its HTTP/2 streams share: the same as for HTTP/1.1. */
export type Http2Context = Http1Context;

/**
 * waiting     no response has begun
 * answering   a response has begun
 * ended       the response is complete
 * gone        the stream is closed, and the response was not complete
 * handedOver  the stream belongs to a WebSocket
 */
type ExchangeState = "waiting" | "answering" | "ended" | "gone" | "handedOver";

/** Every legal move. */
const MOVES: Record<ExchangeState, readonly ExchangeState[]> = {
  waiting: ["answering", "ended", "gone", "handedOver"],
  answering: ["ended", "gone"],
  ended: [],
  gone: [],
  handedOver: [],
};

interface BodyReader {
  readonly resolve: (part: Uint8Array | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Another API for the same stream, which other code uses as well: the compatibility API of node:http2. */
export interface OtherApi {
  /** Returns the fields that middleware has set for the response so far: those of the response itself win. */
  presetFields(): readonly string[];
  /** Throws BODY_USED if other code has read the body. */
  claimBody(): void;
  /** A response of ours begins. */
  responseBegins(status: number): void;
  /** Other code has ended the response. Returns its status; undefined if that was a mistake, and the client is cut off. */
  responseEnded(): number | undefined;
}

interface Http2ExchangeOptions {
  /** The request has a body. */
  readonly hasBody: boolean;
  /** Undefined where the stream is ours alone. */
  readonly otherApi?: OtherApi | undefined;
  /** The body, where somebody else has read it. */
  readonly body?: Uint8Array | undefined;
}

export class Http2Exchange extends OutputSource implements Exchange, Http2StreamListener, Flushable {
  readonly head: Http2RequestHead;
  readonly httpVersion = "2.0";
  readonly hasBody: boolean;
  listener: ExchangeListener | undefined;
  pageFields: readonly string[] | undefined;
  refusalFields: readonly string[] = NO_FIELDS;
  isClientGone = false;
  /** The status of the response; undefined until it has begun. */
  status: number | undefined;
  readonly #stream: Http2Stream;
  readonly #context: Http2Context;
  readonly #otherApi: OtherApi | undefined;
  #state: ExchangeState = "waiting";
  #isFlushQueued = false;
  /** Bytes that a body with a declared length still lacks; undefined if none was declared. */
  #remainingBytes: number | undefined;
  #awaitsContinue: boolean;
  /** Exists while the application waits for a part of the request's body. */
  #reader: BodyReader | undefined;
  /** Bytes of the body that were read. */
  #bodyBytes = 0;
  readonly #maxBodyBytes: number;
  /** The body that somebody else has read, until it was returned. */
  #givenBody: Uint8Array | undefined;
  readonly #isBodyGiven: boolean;
  #isBodyWatched = false;
  /** Created where there is something to count. */
  #memory: ReceivedMemory | undefined;
  #inactivity: Inactivity | undefined;

  /** Becomes the listener of the stream. Throws BODY_TOO_LARGE for a declared length over the limit. */
  constructor(stream: Http2Stream, head: Http2RequestHead, context: Http2Context, options: Http2ExchangeOptions) {
    super();
    this.#stream = stream;
    this.#context = context;
    this.head = head;
    this.hasBody = options.hasBody && head.contentLength !== 0;
    this.#otherApi = options.otherApi;
    // The other API has answered it.
    this.#awaitsContinue = head.expectContinue && options.otherApi === undefined;
    const { maxBodyBytes, maxBodyBytesOf } = context.http;
    this.#maxBodyBytes = this.hasBody ? Math.max(maxBodyBytesOf?.(head) ?? 0, maxBodyBytes) : 0;
    stream.listener = this;
    this.#givenBody = options.body;
    this.#isBodyGiven = options.body !== undefined;
    if (this.hasBody && !this.#isBodyGiven && options.otherApi === undefined) this.#watchBody();
    if (this.#isLost) {
      this.isClientGone = true;
      this.#state = "gone";
    }
  }

  get scheme(): "http" | "https" {
    return this.#stream.isEncrypted ? "https" : "http";
  }

  get remoteAddress(): string | undefined {
    return this.#stream.remoteAddress;
  }

  get webSocketRequest(): WebSocketRequestKind | undefined {
    return this.head.protocol === "websocket" ? "connect" : undefined;
  }

  get isAnswered(): boolean {
    return this.#state !== "waiting" || this.#stream.server.headersSent;
  }

  get bufferedAmount(): number {
    return this.#isLive ? this.outputSize + this.#stream.bufferedAmount : 0;
  }

  get pinnedBytes(): number {
    return this.#isLive ? this.#stream.pinnedBytes : 0;
  }

  get #isLive(): boolean {
    return this.#state === "waiting" || this.#state === "answering";
  }

  /** Hands the request to the server, unless its body is too large by its own account: it is refused then. */
  serve(): void {
    if (this.hasBody && (this.head.contentLength ?? 0) > this.#maxBodyBytes) {
      this.pageFields = this.#context.pageFieldsOf?.(this);
      this.refuseRequest(new ChannelError("BODY_TOO_LARGE"));
    } else this.#context.onExchange(this);
  }

  /** Answers a request that the server was not given with this error. */
  refuseRequest(error: ChannelError): void {
    this.#answerError(error);
    this.#moveTo("ended");
    this.#context.onRefusal(error);
  }

  readBody(): Promise<Uint8Array | undefined> {
    if (!this.hasBody) return Promise.resolve(undefined);
    if (!this.#isLive) {
      return Promise.reject(new ChannelError(this.isClientGone ? "CLIENT_GONE" : "ALREADY_ANSWERED"));
    }
    if (this.#isBodyGiven) {
      const body = this.#givenBody;
      this.#givenBody = undefined;
      return Promise.resolve(body);
    }
    const { contentLength = 0 } = this.head;
    if (contentLength > this.#maxBodyBytes) return this.#refuseBody();
    try {
      this.#watchBody();
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#awaitsContinue && this.#state === "waiting" && !this.#isLost) {
      this.#awaitsContinue = false;
      this.#stream.server.additionalHeaders({ ":status": 100 });
    }
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#feedReader();
    });
  }

  holdsBody(bytes: number): boolean {
    if (!this.#isLive) return true;
    this.#toMemory().holdBody(bytes);
    return this.#count();
  }

  respond(response: ResponseHead, body: string | Uint8Array | null, encoded?: EncodedBody): void {
    if (!this.#isLive || this.#isLost) return;
    const length = body === null ? 0 : lengthOf(body);
    const fields = this.#toFields(response, length);
    if (!this.#canHaveBody(response.status) || length === 0) this.#sendHead(fields, true);
    else {
      this.#sendHead(fields, false);
      this.#stream.finish(encoded === undefined ? pieceOf(body!, length) : encoded.bare);
    }
    this.status = response.status;
    this.#responseEnded();
  }

  start(response: ResponseHead, length?: number): boolean {
    if (!this.#isLive) return false;
    const fields = this.#toFields(response, length);
    const hasBody = this.#canHaveBody(response.status);
    this.#sendHead(fields, !hasBody);
    this.status = response.status;
    if (hasBody) {
      this.#remainingBytes = length;
      this.#moveTo("answering");
    } else this.#responseEnded();
    return hasBody;
  }

  write(part: string | Uint8Array, encoded?: EncodedBody): void {
    if (this.#state !== "answering" || part.length === 0) return;
    const length = lengthOf(part);
    if (this.#remainingBytes !== undefined) {
      if (length > this.#remainingBytes) throw new ChannelError("BODY_LENGTH_MISMATCH", "it is longer");
      this.#remainingBytes -= length;
    }
    if (encoded !== undefined) this.output.shared(encoded.bare);
    else this.output.piece(pieceOf(part, length));
    this.#queueFlush();
  }

  end(): void {
    if (this.#state !== "answering") return;
    if (this.#remainingBytes !== undefined && this.#remainingBytes > 0) {
      throw new ChannelError("BODY_LENGTH_MISMATCH", `${this.#remainingBytes} bytes are missing`);
    }
    this.flush();
    this.#stream.end();
    this.#responseEnded();
  }

  flush(): void {
    this.#isFlushQueued = false;
    const output = this.takeOutput();
    if (output !== undefined) this.#stream.write(output);
  }

  /** RFC 9113 §8.1: a stream that is reset before its end is an incomplete response. */
  abort(): void {
    if (!this.#isLive) return;
    this.#stream.destroy();
  }

  /** The end of a client is always seen: its connection is always read. */
  probe(): void {}

  /** A stream has no half-close of which nobody knows whether its client is gone. */
  endWhenSilent(): void {}

  acceptWebSocket(fields: readonly string[], options: WebSocketOptions): Transport {
    // Throws before anything changes.
    const set = withoutContentFields(this.#otherApi?.presetFields() ?? NO_FIELDS);
    this.#sendHead(this.#toFields({ status: 200, fields }, undefined, set), false);
    this.#moveTo("handedOver");
    this.#releaseMemory();
    this.#context.onExchangeEnd(this, 200);
    const transport = new WebSocketTransport(this.#stream, this.#context, options);
    this.#stream.listener = transport;
    transport.begins(undefined);
    return transport;
  }

  onReadable(): void {
    this.#feedReader();
    this.#count();
  }

  onBytes(): void {}

  onEof(): void {}

  onDrain(): void {
    if (this.#isLive && this.outputSize === 0) this.listener?.onDrain();
  }

  onClosed(error: Error | undefined): void {
    const isCut = this.#isLive;
    const status = this.#statusOfOthers();
    if (isCut) this.#moveTo(status === undefined ? "gone" : "ended");
    this.#releaseMemory();
    if (!isCut) return;
    if (status !== undefined) {
      this.#takeReader()?.reject(new ChannelError("ALREADY_ANSWERED"));
      this.#context.onExchangeEnd(this, status);
      return;
    }
    this.isClientGone = true;
    this.#takeReader()?.reject(new ChannelError("CLIENT_GONE", undefined, { cause: error }));
    this.listener?.onGone(error);
    this.#context.onExchangeCut(this, this.status);
  }

  /** Called about twice a second. Returns true if the body took too long: the request is refused then. */
  tickExchange(now: number): boolean {
    if (!this.#isLive) return false;
    this.#toMemory().holdHead(this.head);
    if (!this.#count()) return true;
    if (this.#reader === undefined && this.#inactivity === undefined) return false;
    this.#inactivity ??= new Inactivity();
    const awaited = this.#reader === undefined ? "nothing" : "body";
    const wait = { awaited, requests: 0, bodyBytes: this.#bodyBytes } as const;
    if (!this.#inactivity.hasExpired(now, wait, this.#context.timeouts)) return false;
    this.#refuse(new ChannelError("REQUEST_TIMEOUT"));
    return true;
  }

  makeRoom(): void {
    if (this.#memory?.isShareSpent(this.#context.received) === true) this.#refuseInput();
  }

  /** The status of a response that other code has begun and ended; undefined for all others. */
  #statusOfOthers(): number | undefined {
    const { writableFinished, aborted } = this.#stream.server;
    return this.#isLive && writableFinished && !aborted ? this.#otherApi?.responseEnded() : undefined;
  }

  /** Throws BODY_USED. */
  #watchBody(): void {
    if (this.#isBodyWatched) return;
    this.#otherApi?.claimBody();
    this.#isBodyWatched = true;
    this.#stream.watchBody();
  }

  #refuseBody(): Promise<never> {
    const error = new ChannelError("BODY_TOO_LARGE");
    this.#refuse(error);
    return Promise.reject(error);
  }

  #feedReader(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    const { server } = this.#stream;
    const part = server.read();
    // Bun says "end" of a body that a reset has cut off (1.4.5). "close" follows.
    if (part === null && (!server.readableEnded || server.aborted)) return;
    if (part !== null) {
      this.#bodyBytes += part.length;
      if (this.#bodyBytes > this.#maxBodyBytes) {
        this.#refuse(new ChannelError("BODY_TOO_LARGE"));
        return;
      }
    }
    this.#reader = undefined;
    reader.resolve(part ?? undefined);
  }

  /** Ends the exchange with this error, which the reader of the body gets, and the client, if no response has begun. */
  #refuse(error: ChannelError): void {
    const reader = this.#takeReader();
    const isAnswered = !this.isAnswered;
    if (isAnswered) this.#answerError(error);
    else this.#stream.destroy(error);
    this.#moveTo(isAnswered ? "ended" : "gone");
    this.#releaseMemory();
    reader?.reject(error);
    this.isClientGone = true;
    this.listener?.onGone(error);
    if (isAnswered) this.#context.onExchangeEnd(this, error.status!);
    else this.#context.onExchangeCut(this, this.status);
  }

  #refuseInput(): void {
    this.#refuse(new ChannelError("RECEIVE_OVERFLOW"));
  }

  #answerError(error: ChannelError): void {
    const status = error.status ?? 400;
    const text = `${error.message}\n`;
    // RFC 9110 §15.6.4: the client may come back, and is told when.
    const own = ["Content-Type", "text/plain; charset=utf-8", ...(status === 503 ? ["Retry-After", "1"] : [])];
    const set = this.#otherApi?.presetFields() ?? NO_FIELDS;
    const usual = withoutContentFields(joinFields(set, this.refusalFields));
    const others = this.pageFields === undefined ? usual : withPageFields(usual, this.pageFields);
    const fields = [...own, ...fieldsBeside(others, [...own, "Date", "", "Server", ""])];
    const length = utf8Length(text);
    const isBodyless = this.head.method === "HEAD";
    this.#sendHead(toResponseFields({ status, fields }, length, isBodyless, this.#context.http), isBodyless);
    if (!isBodyless) this.#stream.finish(text);
    this.status = status;
    this.#stopReading();
  }

  #toFields(response: ResponseHead, length: number | undefined, set = this.#otherApi?.presetFields()): ResponseFields {
    let { fields } = response;
    if (set !== undefined) fields = joinFields(set, fields);
    if (this.pageFields !== undefined) fields = withPageFields(fields, this.pageFields);
    const isHead = this.head.method === "HEAD";
    return toResponseFields({ status: response.status, fields }, length, isHead, this.#context.http);
  }

  /** The stream is gone, and its "close" is still to come. Nothing is sent; `onClosed` says the end. */
  get #isLost(): boolean {
    const { server } = this.#stream;
    return server.destroyed || server.closed;
  }

  #sendHead(fields: ResponseFields, isWhole: boolean): void {
    if (this.#isLost) return;
    if (this.#stream.server.headersSent) {
      throw new ChannelError("ALREADY_ANSWERED", "other code has begun the response of this exchange");
    }
    this.#otherApi?.responseBegins(fields[":status"] as number);
    try {
      this.#stream.server.respond(fields, isWhole ? { endStream: true } : undefined);
    } catch (error) {
      // RFC 9110 §5.3: a field that is no list, on two lines.
      throw new ChannelError("BAD_HEADER", (error as Error).message, { cause: error });
    }
  }

  /** RFC 9110 §9.3.6: behind a 2xx to CONNECT the client takes every byte for the tunnel's. */
  #canHaveBody(status: number): boolean {
    const { method } = this.head;
    return method !== "HEAD" && statusHasBody(status) && (method !== "CONNECT" || status >= 300);
  }

  /** Writes the output at the end of this turn, or now if it is long. */
  #queueFlush(): void {
    if (this.outputSize >= FLUSH_BYTES) this.flush();
    else if (!this.#isFlushQueued) {
      this.#isFlushQueued = true;
      this.#context.flusher.add(this);
    }
  }

  #responseEnded(): void {
    this.#moveTo("ended");
    this.#releaseMemory();
    this.#context.onExchangeEnd(this, this.status!);
    this.#takeReader()?.reject(new ChannelError("ALREADY_ANSWERED"));
    this.#stopReading();
  }

  /** RFC 9113 §8.1: behind a complete response the rest of the request is not wanted. */
  #stopReading(): void {
    const { server } = this.#stream;
    if (!this.hasBody || server.readableEnded) return;
    if (server.writableFinished) server.close(RESET.NO_ERROR);
    else server.on("finish", () => server.close(RESET.NO_ERROR));
  }

  /** Updates the budget for received bytes. False if this exchange has to make room: it was refused then. */
  #count(): boolean {
    if (!this.#isLive) return true;
    const unread = this.hasBody ? this.#stream.server.readableLength : 0;
    if (unread === 0 && this.#memory === undefined) return true;
    if (this.#toMemory().count(unread, this.#context.received)) return true;
    this.#refuseInput();
    return false;
  }

  #toMemory(): ReceivedMemory {
    this.#memory ??= new ReceivedMemory();
    return this.#memory;
  }

  #releaseMemory(): void {
    this.#memory?.release(this.#context.received);
  }

  #takeReader(): BodyReader | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    return reader;
  }

  #moveTo(state: ExchangeState): void {
    if (!MOVES[this.#state].includes(state)) throw new Error(`an exchange cannot go from ${this.#state} to ${state}`);
    this.#state = state;
  }
}

function lengthOf(data: string | Uint8Array): number {
  return typeof data === "string" ? utf8Length(data) : data.length;
}

function pieceOf(data: string | Uint8Array, length: number): Piece {
  return typeof data === "string" && length !== data.length ? utf8Bytes(data) : data;
}
