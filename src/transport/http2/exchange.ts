// The Exchange of HTTP/2: one request on one stream. Once its response has ended every call on it does nothing.
// Long because a response, a body and a tunnel are three uses of the same stream.

import { type Piece, utf8Length } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import { plainPiece } from "../../base/output.ts";
import { joinFields, withCorsFields, withoutContentFields } from "../../codec/field-list.ts";
import { type ResponseHead, statusHasBody } from "../../codec/http1-response.ts";
import type { WebSocketRequestKind } from "../../codec/ws-handshake.ts";
import type { EncodedBody } from "../../protocol/encoded-message.ts";
import { BoundedExchange, lengthOf, pieceOf } from "../bounded-exchange.ts";
import type { SwitchedStream, WebSocketOptions } from "../exchange.ts";
import type { ExchangeContext } from "../exchange-context.ts";
import { GivenBytes } from "../input/given-bytes.ts";
import { maxBodyBytesFor, type RequestInput } from "../input/request-input.ts";
import type { Position, Transport } from "../transport.ts";
import { WebSocketTransport } from "../websocket/transport.ts";
import type { CompatibilityApi } from "./compatibility-api.ts";
import type { Http2RequestHead } from "./request-head.ts";
import { toErrorHead, toResponseFields } from "./response-head.ts";
import { RESET, type ResponseFields } from "./server-stream.ts";
import type { Http2Stream, Http2StreamListener } from "./stream.ts";

const NO_FIELDS: readonly string[] = [];

interface Http2ExchangeOptions {
  /** The request has a body. */
  readonly hasBody: boolean;
  /** Undefined where the stream is ours alone. */
  readonly compatibilityApi?: CompatibilityApi | undefined;
  /** The body, if other code has read it. */
  readonly body?: Uint8Array | undefined;
}

export class Http2Exchange extends BoundedExchange implements Http2StreamListener {
  readonly head: Http2RequestHead;
  readonly httpVersion = "2.0";
  readonly hasBody: boolean;
  readonly #stream: Http2Stream;
  readonly #compatibilityApi: CompatibilityApi | undefined;
  #awaitsContinue: boolean;
  readonly #given: GivenBytes | undefined;
  #isBodyWatched = false;

  /** Becomes the listener of the stream. */
  constructor(stream: Http2Stream, head: Http2RequestHead, context: ExchangeContext, options: Http2ExchangeOptions) {
    super(context);
    this.#stream = stream;
    this.head = head;
    this.hasBody = options.hasBody && head.contentLength !== 0;
    this.#compatibilityApi = options.compatibilityApi;
    // The compatibility API has answered it.
    this.#awaitsContinue = head.expectContinue && options.compatibilityApi === undefined;
    this.#given = options.body === undefined ? undefined : new GivenBytes(options.body);
    stream.listener = this;
    if (this.hasBody && this.#given === undefined && options.compatibilityApi === undefined) this.#watchBody();
    if (this.#isLost()) this.begunWithoutClient();
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

  override get isAnswered(): boolean {
    return super.isAnswered || this.#stream.server.headersSent;
  }

  get bufferedAmount(): number {
    return this.isLive() ? this.outputSize + this.#stream.bufferedAmount : 0;
  }

  get pinnedBytes(): number {
    return this.isLive() ? this.#stream.pinnedBytes : 0;
  }

  unreadBytes(): number {
    return this.hasBody ? this.#stream.server.readableLength : 0;
  }

  /** Hands the request to the server. Refuses one whose Content-Length is over the limit. */
  serve(): void {
    if (this.declaredBytes() === 0 || this.declaredBytes() <= maxBodyBytesFor(this.head, this.context)) {
      this.context.onExchange(this);
      return;
    }
    this.corsFields = this.context.corsFieldsOf?.(this);
    this.refuseRequest(new ChannelError("BODY_TOO_LARGE"));
  }

  /** Answers a request that the server was not given with this error. */
  refuseRequest(error: ChannelError): void {
    this.#writeError(error);
    this.leave();
    this.context.onRefusal(error);
  }

  override readBody(): Promise<Uint8Array | undefined> {
    return this.#given === undefined || !this.isLive() ? super.readBody() : this.#given.take();
  }

  protected declaredBytes(): number {
    return this.hasBody ? (this.head.contentLength ?? 0) : 0;
  }

  protected pullBody(input: RequestInput): void {
    this.#watchBody();
    if (this.#awaitsContinue && this.isAwaiting() && !this.#isLost()) {
      this.#awaitsContinue = false;
      this.#stream.server.additionalHeaders({ ":status": 100 });
    }
    const { server } = this.#stream;
    const part = server.read();
    // Bun says "end" of a body that a reset has cut off (1.4.5). "close" follows.
    const hasEnded = server.readableEnded && !server.aborted;
    if (part !== null || hasEnded) input.arrived(part ?? undefined);
  }

  respond(response: ResponseHead, body: string | Uint8Array | null, encoded?: EncodedBody): void {
    if (!this.isLive() || this.#isLost()) return;
    const length = body === null ? 0 : lengthOf(body);
    const fields = this.#toFields(response, length);
    if (!this.#canHaveBody(response.status) || length === 0) this.#sendHead(fields, "last");
    else {
      this.#sendHead(fields, "more");
      this.#stream.finish(encoded === undefined ? pieceOf(body!, length) : plainPiece(encoded.bare));
    }
    this.status = response.status;
    this.#responseEnded();
  }

  start(response: ResponseHead, length?: number): boolean {
    if (!this.isLive()) return false;
    const fields = this.#toFields(response, length);
    const hasBody = this.#canHaveBody(response.status);
    this.#sendHead(fields, hasBody ? "more" : "last");
    this.status = response.status;
    if (hasBody) this.bodyBegins(length);
    else this.#responseEnded();
    return hasBody;
  }

  protected writeOutput(output: Piece | readonly Piece[]): void {
    this.#stream.write(output);
  }

  protected endBody(): void {
    this.#stream.end();
    this.#responseEnded();
  }

  /** RFC 9113 §8.1: a stream that is reset before its end is an incomplete response. */
  abort(): void {
    if (this.isLive()) this.#stream.destroy();
  }

  /** The end of a client is always seen: its connection is always read. */
  probe(): void {}

  /** A stream of HTTP/2 has no half-close that may be either a client that still reads or one that is gone. */
  endWhenSilent(): void {}

  acceptWebSocket(fields: readonly string[], options: WebSocketOptions): Transport {
    const { stream } = this.acceptBytes(fields);
    const transport = new WebSocketTransport(stream, this.context, options);
    stream.listener = transport;
    transport.begins(undefined);
    return transport;
  }

  acceptBytes(fields: readonly string[]): SwitchedStream {
    // Throws before anything changes.
    const set = withoutContentFields(this.#compatibilityApi?.presetFields() ?? NO_FIELDS);
    this.#sendHead(this.#toFields({ status: 200, fields }, undefined, set), "more");
    this.leave();
    this.context.onExchangeEnd(this, 200);
    return { stream: this.#stream, rest: undefined };
  }

  onReadable(): void {
    this.feedReader();
    this.countInput();
  }

  onBytes(): void {}
  onEof(): void {}

  onDrain(): void {
    if (this.isLive() && this.outputSize === 0) this.listener?.onDrain();
  }

  onClosed(error: Error | undefined): void {
    if (!this.isLive()) return;
    const status = this.#statusOfOthers();
    if (status === undefined) this.cut(error);
    else {
      this.status = status;
      this.responseEnded("over");
    }
  }

  /** Called about twice a second. Returns true if the request was refused. */
  tickExchange(now: number): boolean {
    return this.tickInput(now);
  }

  /** The status of a response that other code has begun and ended; undefined for all others. */
  #statusOfOthers(): number | undefined {
    const { writableFinished, aborted } = this.#stream.server;
    return writableFinished && !aborted ? this.#compatibilityApi?.responseEnded() : undefined;
  }

  /** Throws BODY_USED. */
  #watchBody(): void {
    if (this.#isBodyWatched) return;
    this.#compatibilityApi?.claimBody();
    this.#isBodyWatched = true;
    this.#stream.watchBody();
  }

  protected override answerError(error: ChannelError): void {
    this.#writeError(error);
    this.responseEnded("over");
  }

  protected dropResponse(error: ChannelError): void {
    this.#stream.destroy(error);
  }

  #writeError(error: ChannelError): void {
    const text = `${error.message}\n`;
    const isHead = this.head.method === "HEAD";
    const set = this.#compatibilityApi?.presetFields() ?? NO_FIELDS;
    const response = toErrorHead(error, joinFields(set, this.refusalFields), this.corsFields);
    const fields = toResponseFields(response, utf8Length(text), this.head.method, this.context.http);
    this.#sendHead(fields, isHead ? "last" : "more");
    if (!isHead) this.#stream.finish(text);
    this.status = response.status;
    this.#stopReading();
  }

  #toFields(
    response: ResponseHead,
    length: number | undefined,
    set = this.#compatibilityApi?.presetFields(),
  ): ResponseFields {
    let { fields } = response;
    if (set !== undefined) fields = joinFields(set, fields);
    if (this.corsFields !== undefined) fields = withCorsFields(fields, this.corsFields);
    return toResponseFields({ status: response.status, fields }, length, this.head.method, this.context.http);
  }

  /** True if the stream is gone. Nothing is sent then; its "close" event ends the exchange (`onClosed`). */
  #isLost(): boolean {
    const { server } = this.#stream;
    return server.destroyed || server.closed;
  }

  #sendHead(fields: ResponseFields, position: Position): void {
    if (this.#isLost()) return;
    if (this.#stream.server.headersSent) {
      throw new ChannelError("ALREADY_ANSWERED", "other code has begun the response of this exchange");
    }
    this.#compatibilityApi?.responseBegins(fields[":status"] as number);
    try {
      this.#stream.server.respond(fields, position === "last" ? { endStream: true } : undefined);
    } catch (error) {
      // RFC 9110 §5.3: a field that is no list, on two lines.
      throw new ChannelError("BAD_HEADER", (error as Error).message, { cause: error });
    }
  }

  /** RFC 9110 §9.3.6: after a 2xx to CONNECT the client takes every byte for the tunnel's. */
  #canHaveBody(status: number): boolean {
    return this.head.method !== "HEAD" && statusHasBody(status) && (this.head.method !== "CONNECT" || status >= 300);
  }

  #responseEnded(): void {
    this.responseEnded("over");
    this.#stopReading();
  }

  /** RFC 9113 §8.1: after a complete response the rest of the request is not wanted. */
  #stopReading(): void {
    const { server } = this.#stream;
    if (!this.hasBody || server.readableEnded) return;
    if (server.writableFinished) server.close(RESET.NO_ERROR);
    else server.on("finish", () => server.close(RESET.NO_ERROR));
  }
}
