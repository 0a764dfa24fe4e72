// The server's end of an HTTP/1.1 connection: RFC 9112 as a state machine. Bytes in, requests and body parts out; responses
// in, bytes out. It has no socket and no clock: the owner of both feeds it and writes the bytes that `takeOutput` returns.
//
// Requests are answered strictly in order: `nextRequest` returns a request only after the previous one was read and answered
// to the end, so a pipelined request cannot be answered too early (RFC 9112 §9.3.2).
// Long because reading and writing share their state: whether a request may follow depends on both.

import { type Piece, utf8Bytes, utf8Length } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { OutputSource, sharedPiece } from "../base/output.ts";
import { fieldsBeside, withoutNames } from "../codec/field-list.ts";
import { type BodyDecoder, ChunkedBodyDecoder, FixedBodyDecoder } from "../codec/http1-body.ts";
import { RequestDecoder, type RequestHead, type RequestLimits } from "../codec/http1-request.ts";
import {
  CONTINUE,
  encodeChunk,
  encodeResponseHead,
  LAST_CHUNK,
  PROCESSING,
  type ResponseHead,
  statusHasBody,
} from "../codec/http1-response.ts";
import { hasListMember } from "../codec/http1-syntax.ts";
import type { EncodedBody } from "./encoded-message.ts";
import { type FramedHead, frameResponse } from "./response-framing.ts";
import { cachedHead } from "./response-head-cache.ts";

export interface Http1Options extends RequestLimits {
  /** Longest request body in bytes; a longer one is refused with 413. */
  readonly maxBodyBytes: number;
  /** Returns the limit of a request whose body may be longer than `maxBodyBytes`. */
  readonly maxBodyBytesOf?: (head: Pick<RequestHead, "method" | "target">) => number | undefined;
  /** Returns the `Date` field, whole: `Date: …` and CRLF. The clock stays outside. */
  readonly dateField: () => string;
  /** The `Server` field, whole, or an empty string. */
  readonly serverField: string;
}

/** Fields that the connection itself writes in a refusal, in place of the application's. */
const CONNECTION_FIELDS = ["date", "server", "connection", "keep-alive", "content-length", "transfer-encoding"];
const NOT_IN_REFUSALS: ReadonlySet<string> = new Set(CONNECTION_FIELDS);

/** The state of the reading side. */
type ReadState = "head" | "body" | "read" | "closed";
/** The state of the writing side. "chunked", "counted" and "until-close" are the framings of a body (RFC 9112 §6.3). */
type WriteState = "idle" | "awaiting" | "chunked" | "counted" | "until-close" | "sent";

export class Http1Connection extends OutputSource {
  readonly #options: Http1Options;
  /** Undefined between requests. */
  #requests: RequestDecoder | undefined;
  #body: BodyDecoder | undefined;
  #reading: ReadState = "head";
  #writing: WriteState = "idle";
  #head: RequestHead | undefined;
  #keepAlive = true;
  #isClosingSoon = false;
  #awaitsContinue = false;
  /** True while the response has ended and the rest of the request's body is discarded. */
  isDiscarding = false;
  /** True once the peer has ended its side. */
  hasPeerEnded = false;
  /** Bytes that a body with a declared length still lacks. */
  #remainingBytes = 0;
  /** Bytes of the current body that have been read. */
  bodyBytes = 0;

  constructor(options: Http1Options) {
    super();
    this.#options = options;
  }

  /** True once no more is read, and no more output is added. */
  get isClosed(): boolean {
    return this.#reading === "closed" && (this.#writing === "idle" || this.#writing === "sent");
  }

  /** True while a request has been handed out and its response has not ended. */
  get isAwaitingResponse(): boolean {
    return this.#writing !== "idle" && this.#writing !== "sent";
  }

  /** True once the first byte of the response is in the output. */
  get isAnswering(): boolean {
    return this.#writing !== "awaiting" && this.#writing !== "idle";
  }

  /** True between requests, with no byte of a next one. */
  get isIdle(): boolean {
    return this.#reading === "head" && this.#writing === "idle" && this.#isBetweenHeads();
  }

  get isBodyRead(): boolean {
    return this.#reading !== "body";
  }

  /** True if no byte after the latest request is held. */
  get isCaughtUp(): boolean {
    return this.#reading !== "body" && this.#isBetweenHeads();
  }

  /** Memory of received bytes that were not returned: a partial head, a body, pipelined requests. */
  get heldBytes(): number {
    const requests = this.#requests === undefined ? 0 : this.#requests.heldBytes;
    return this.#body === undefined ? requests : requests + this.#body.heldBytes;
  }

  /** Takes bytes from the peer. They belong to the connection from here on. */
  receive(bytes: Uint8Array): void {
    if (this.#reading === "closed") return;
    if (this.#reading === "body") {
      // RFC 9110 §10.1.1: a client that already sends its body no longer waits.
      this.#awaitsContinue = false;
      this.#body!.push(bytes);
    } else this.#readHeads(bytes);
  }

  /** The peer has ended its side. Requests that are whole are still answered: RFC 9112 §9.6 allows the half-close. */
  receiveEof(): void {
    this.hasPeerEnded = true;
    if (this.#reading === "head" && this.#isBetweenHeads()) this.#reading = "closed";
  }

  /** The head of a request whose response has not begun, also of one whose body is refused. */
  get unansweredHead(): RequestHead | undefined {
    return this.#writing === "awaiting" ? this.#head : undefined;
  }

  /**
   * Returns the next request once its head is whole and the previous request is done; otherwise undefined.
   * Throws a `ChannelError` with a status for a request that must not be served; `refuse` then answers it.
   */
  nextRequest(): RequestHead | undefined {
    if (this.#reading !== "head" || this.#writing !== "idle") return undefined;
    const head = this.#requests?.next();
    this.#leaveDecoder();
    if (head === undefined) {
      // RFC 9112 §8: the rest of a partial head never arrives.
      if (this.hasPeerEnded) this.#reading = "closed";
      return undefined;
    }
    this.#writing = "awaiting";
    this.#head = head;
    // RFC 9931: the bytes after a refused WebSocket handshake or CONNECT may be frames, or those of the tunnel. They must not
    // be read as a request.
    const isTransition = head.method === "CONNECT" || (head.upgrade !== "" && hasListMember(head.upgrade, "websocket"));
    this.#keepAlive = !this.#isClosingSoon && head.keepAlive && !isTransition;
    const maxBodyBytes = this.#maxBodyBytes(head);
    if (head.contentLength > maxBodyBytes) throw new ChannelError("BODY_TOO_LARGE");
    if (head.contentLength === 0 && !head.chunked) {
      this.#reading = "read";
      return head;
    }
    this.#reading = "body";
    this.bodyBytes = 0;
    this.#awaitsContinue = head.expectContinue;
    this.#body = head.chunked
      ? new ChunkedBodyDecoder({
          maxBodyBytes,
          maxTrailerBytes: this.#options.maxHeaderBytes,
          maxTrailerCount: this.#options.maxHeaderCount,
        })
      : new FixedBodyDecoder(head.contentLength);
    const rest = this.#takeRest();
    if (rest !== undefined) {
      this.#body.push(rest);
      this.#awaitsContinue = false;
    }
    return head;
  }

  /** Asks `maxBodyBytesOf` only if the body may exceed the usual limit. */
  #maxBodyBytes(head: RequestHead): number {
    const { maxBodyBytes, maxBodyBytesOf } = this.#options;
    if (maxBodyBytesOf === undefined || (!head.chunked && head.contentLength <= maxBodyBytes)) return maxBodyBytes;
    return Math.max(maxBodyBytesOf(head) ?? 0, maxBodyBytes);
  }

  /** Returns the next part of the request's body, or undefined: `isBodyRead` tells whether more will arrive. */
  nextBody(): Uint8Array | undefined {
    if (this.#reading !== "body") return undefined;
    const part = this.#body!.next();
    if (part !== undefined) {
      this.bodyBytes += part.length;
      return part;
    }
    if (this.#body!.isDone) this.#endOfBody();
    else if (this.hasPeerEnded && this.isDiscarding) this.#stopReading();
    else if (this.hasPeerEnded) throw new ChannelError("CLIENT_GONE", "the request body is incomplete");
    return undefined;
  }

  /** Sends 100 (Continue), once, to a client that waits for it: the application reads the body. */
  sendContinue(): void {
    if (!this.#awaitsContinue || this.#writing !== "awaiting") return;
    this.#awaitsContinue = false;
    this.output.text(CONTINUE);
  }

  /**
   * Sends an interim response while the request is being processed: 102, or 100 (which more clients skip) while its body is
   * arriving. Returns false if the response has begun, or there is no request.
   */
  sendInterim(): boolean {
    if (this.#writing !== "awaiting") return false;
    const isComing = this.#reading === "body";
    this.output.text(isComing ? CONTINUE : PROCESSING);
    if (isComing) this.#awaitsContinue = false;
    return true;
  }

  /** Sends a whole response. A string goes out as UTF-8. `encoded`: the body, if many clients get this response. */
  respond(response: ResponseHead, body: string | Uint8Array | null, encoded?: EncodedBody): void {
    if (encoded !== undefined && this.#isOrdinary()) {
      this.#respondEncoded(response, encoded);
      return;
    }
    const bytes = body === null ? 0 : bytesOf(body);
    const framing = this.#framing(response, bytes);
    this.#writing = "sent";
    if (framing.bodyless || body === null || bytes === 0) {
      this.output.text(framing.head);
    } else if (typeof body === "string" && bytes === body.length) {
      // An ASCII body is joined with its head: one string, one write.
      this.output.text(framing.head + body);
    } else {
      this.output.text(framing.head);
      this.output.bytes(typeof body === "string" ? utf8Bytes(body) : body);
    }
    this.#endOfResponse();
  }

  /** Sends a response that is encoded once for all ordinary requests: 1,000 polls are answered in 0.9 of the time. */
  #respondEncoded(response: ResponseHead, encoded: EncodedBody): void {
    const options = this.#options;
    const dateField = options.dateField();
    let piece = encoded.cachedResponse(options, dateField);
    if (piece === undefined) {
      const { head, bodyless } = this.#framing(response, bytesOf(encoded.data));
      piece = sharedPiece(head, bodyless ? "" : encoded.data);
      // A response that closes its connection has a `Connection` field: it is not the same for all clients.
      if (this.#keepAlive) encoded.cacheResponse(options, dateField, piece);
    }
    this.#writing = "sent";
    this.output.shared(piece);
    this.#endOfResponse();
  }

  /**
   * Begins a response whose body follows with `write` and ends with `end`. `length` is its size in bytes where it is
   * known; otherwise it is chunked, or delimited by the end of the connection for HTTP/1.0.
   * Returns false if the response can have no body (HEAD, 204, 205, 304): it is complete then.
   */
  start(response: ResponseHead, length?: number): boolean {
    const framing = this.#framing(response, length);
    this.output.text(framing.head);
    if (framing.bodyless) {
      this.#writing = "sent";
      this.#endOfResponse();
      return false;
    }
    if (length !== undefined) {
      this.#writing = "counted";
      this.#remainingBytes = length;
    } else {
      this.#writing = this.#head!.minor === 0 ? "until-close" : "chunked";
    }
    return true;
  }

  /**
   * Adds bytes to the body of a started response. An empty part writes nothing, as an empty chunk would end the body.
   * `encoded`: the part, if many clients get it.
   */
  write(part: string | Uint8Array, encoded?: EncodedBody): void {
    if (part.length === 0) return;
    if (encoded !== undefined && this.#writing === "chunked") {
      this.output.shared(encoded.chunk);
      return;
    }
    const length = bytesOf(part);
    const piece: Piece = typeof part === "string" && length !== part.length ? utf8Bytes(part) : part;
    if (this.#writing === "chunked") {
      this.output.text(encodeChunk(length));
      this.output.piece(piece);
      this.output.text("\r\n");
      return;
    }
    if (this.#writing === "counted") {
      if (length > this.#remainingBytes) throw new ChannelError("BODY_LENGTH_MISMATCH", "it is longer");
      this.#remainingBytes -= length;
    }
    this.output.piece(piece);
  }

  /** Ends a started response. Throws if its declared length was not reached: the connection cannot be used any more. */
  end(): void {
    if (!this.isAwaitingResponse || this.#writing === "awaiting") return;
    if (this.#writing === "counted" && this.#remainingBytes > 0) {
      throw new ChannelError("BODY_LENGTH_MISMATCH", `${this.#remainingBytes} bytes are missing`);
    }
    if (this.#writing === "chunked") this.output.text(LAST_CHUNK);
    if (this.#writing === "until-close") this.#keepAlive = false;
    this.#writing = "sent";
    this.#endOfResponse();
  }

  /** Answers an error of `nextRequest` or `nextBody`, with `fields` beside its own, unless a response has begun. Stops reading. */
  refuse(error: ChannelError, fields: readonly string[] = []): void {
    this.#keepAlive = false;
    this.#awaitsContinue = false;
    if (!this.isAnswering) {
      const body = utf8Bytes(`${error.message}\n`);
      // RFC 9110 §15.6.4: tells the client when to come back.
      const retry = error.status === 503 ? ["Retry-After", "1"] : [];
      const own = ["Content-Type", "text/plain; charset=utf-8", ...retry];
      const others = fieldsBeside(withoutNames(fields, NOT_IN_REFUSALS), own);
      this.output.text(
        encodeResponseHead(error.status ?? 400, [...own, ...others]) +
          this.#options.dateField() +
          this.#options.serverField +
          `Connection: close\r\nContent-Length: ${body.length}\r\n\r\n`,
      );
      // Until its head was whole, the refused request is the decoder's, and `#head` that of the one before.
      const method = this.#writing === "idle" ? this.#requests?.method : this.#head?.method;
      if (method !== "HEAD") this.output.bytes(body);
    }
    this.#writing = "sent";
    this.#stopReading();
  }

  /** The next response closes the connection, and says so. Until then it waits for its request. */
  announceClose(): void {
    this.#isClosingSoon = true;
  }

  /**
   * Closes the connection after the request that awaits its response. If there is none: after the request that has begun to
   * arrive, if `finishesPartial`, otherwise at once.
   */
  closeSoon({ finishesPartial }: { readonly finishesPartial: boolean }): void {
    this.announceClose();
    this.#keepAlive = false;
    if (!this.isAwaitingResponse && (!finishesPartial || this.#isBetweenHeads())) this.#stopReading();
  }

  /**
   * Leaves HTTP: 101 with these fields, nothing else (RFC 9110 §15.2.2). Returns the bytes that came behind the
   * request: they belong to the next protocol, which goes on with the output.
   */
  upgrade(fields: readonly string[]): Uint8Array | undefined {
    this.output.text(`${encodeResponseHead(101, fields)}\r\n`);
    this.#writing = "sent";
    this.#reading = "closed";
    return this.#takeRest();
  }

  /** The head with its framing fields, from the cache if it is an ordinary one. `length` as for `frameResponse`. */
  #framing(response: ResponseHead, length: number | undefined): Pick<FramedHead, "head" | "bodyless"> {
    if (length !== undefined && this.#isOrdinary() && statusHasBody(response.status)) {
      const { dateField, serverField } = this.#options;
      const head = cachedHead(response.status, response.fields, dateField(), serverField, length);
      if (head !== undefined) return { head, bodyless: false };
    }
    // RFC 9110 §10.1.1: a client still waiting for 100 may or may not send its body after a final status.
    const mayPersist = this.#keepAlive && !this.#awaitsContinue && !this.#isLast();
    const framed = frameResponse(response, length, { request: this.#head!, mayPersist, server: this.#options });
    this.#keepAlive = framed.persists;
    return framed;
  }

  #endOfBody(): void {
    const rest = this.#body!.takeRest();
    this.#body = undefined;
    this.#awaitsContinue = false;
    this.#reading = "read";
    if (rest !== undefined) this.#readHeads(rest);
    if (this.#writing === "sent") this.#nextCycle();
  }

  #endOfResponse(): void {
    if (!this.#keepAlive) {
      this.#reading = "closed";
      return;
    }
    if (this.#reading === "read") this.#nextCycle();
    else this.isDiscarding = true;
  }

  #nextCycle(): void {
    this.#writing = "idle";
    this.#head = undefined;
    this.isDiscarding = false;
    this.#reading = this.#keepAlive && !this.#isLast() ? "head" : "closed";
  }

  #isBetweenHeads(): boolean {
    return this.#requests === undefined || this.#requests.isIdle;
  }

  #readHeads(bytes: Uint8Array): void {
    this.#requests ??= takeDecoder(this.#options);
    this.#requests.push(bytes);
  }

  #takeRest(): Uint8Array | undefined {
    const rest = this.#requests?.takeRest();
    this.#leaveDecoder();
    return rest;
  }

  #leaveDecoder(): void {
    if (this.#requests?.isFresh !== true) return;
    spareDecoder = this.#requests;
    this.#requests = undefined;
  }

  /** True if the bytes of the response depend neither on the request nor on the state of the connection. */
  #isOrdinary(): boolean {
    const { method, minor } = this.#head!;
    if (method === "HEAD" || method === "CONNECT" || minor === 0) return false;
    return this.#keepAlive && !this.#awaitsContinue && !this.#isLast();
  }

  /** True if no request can follow. */
  #isLast(): boolean {
    return this.hasPeerEnded && this.isCaughtUp;
  }

  #stopReading(): void {
    this.#reading = "closed";
    this.#requests = undefined;
    this.#body = undefined;
    this.isDiscarding = false;
  }
}

/** The decoder that was freed last. Connections that are idle, or await a response, have none. */
let spareDecoder: RequestDecoder | undefined;

function takeDecoder(options: Http1Options): RequestDecoder {
  const decoder = spareDecoder;
  spareDecoder = undefined;
  return decoder?.limits === options ? decoder : new RequestDecoder(options);
}

function bytesOf(part: string | Uint8Array): number {
  return typeof part === "string" ? utf8Length(part) : part.length;
}
