// An exchange whose HTTP is spoken by another library (node:http, node:http2, a Fetch server, uWebSockets.js): its states, the limits
// of its request, the declared length of its response, one write for each turn, and its end. Each host has a subclass, which
// reads and writes.

import { type Piece, utf8Bytes, utf8Length } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { OutputSource } from "../base/output.ts";
import { withoutContentFields } from "../codec/field-list.ts";
import type { ResponseHead } from "../codec/http1-response.ts";
import type { WebSocketRequestKind } from "../codec/ws-handshake.ts";
import type { EncodedBody } from "../protocol/encoded-message.ts";
import type { Exchange, ExchangeListener, WebSocketOptions } from "./exchange.ts";
import type { ExchangeContext } from "./exchange-context.ts";
import { EXCHANGE_STATES, type ExchangeState } from "./exchange-state.ts";
import { TEXT_PLAIN } from "./http/format.ts";
import { type InputOwner, RequestInput } from "./input/request-input.ts";
import type { Flushable } from "./io/flusher.ts";
import { FLUSH_BYTES } from "./limits.ts";
import type { Transport } from "./transport.ts";

const NO_FIELDS: readonly string[] = [];

export abstract class BoundedExchange extends OutputSource implements Exchange, Flushable, InputOwner {
  abstract readonly head: Exchange["head"];
  abstract readonly httpVersion: string;
  abstract readonly hasBody: boolean;
  listener: ExchangeListener | undefined;
  corsFields: readonly string[] | undefined;
  refusalFields: readonly string[] = NO_FIELDS;
  isClientGone = false;
  protected readonly context: ExchangeContext;
  /** The status of the response; undefined until it has begun. */
  protected status: number | undefined;
  #state: ExchangeState = EXCHANGE_STATES.awaiting;
  #isFlushQueued = false;
  /** Bytes that a body with a declared length still lacks; undefined if none was declared. */
  #remainingBytes: number | undefined;
  /** Undefined until there is something to count. */
  #input: RequestInput | undefined;

  constructor(context: ExchangeContext) {
    super();
    this.context = context;
  }

  abstract get scheme(): "http" | "https";
  abstract get remoteAddress(): string | undefined;
  abstract get webSocketRequest(): WebSocketRequestKind | undefined;
  abstract get bufferedAmount(): number;
  abstract get pinnedBytes(): number;
  abstract respond(response: ResponseHead, body: string | Uint8Array | null, encoded?: EncodedBody): void;
  abstract start(response: ResponseHead, length?: number): boolean;
  abstract abort(): void;
  abstract probe(): void;
  abstract endWhenSilent(): void;
  abstract acceptWebSocket(fields: readonly string[], options: WebSocketOptions): Transport;
  abstract unreadBytes(): number;

  /** The Content-Length of the request; 0 if it has no body or declares no length. */
  protected abstract declaredBytes(): number;
  /** Reads the next part of the request's body, and brings it to the input. Throws BODY_USED. */
  protected abstract pullBody(input: RequestInput): void;
  protected abstract writeOutput(output: Piece | readonly Piece[]): void;
  /** Ends a streamed body, all of which was written, and calls `responseEnded`. */
  protected abstract endBody(): void;
  /** Cuts off a response that has begun. */
  protected abstract dropResponse(error: ChannelError): void;
  /** The exchange is over. Called once. */
  protected onOver(): void {}

  get isAnswered(): boolean {
    return this.#state !== EXCHANGE_STATES.awaiting;
  }

  protected isAwaiting(): boolean {
    return this.#state === EXCHANGE_STATES.awaiting;
  }

  protected isStreaming(): boolean {
    return this.#state === EXCHANGE_STATES.streaming;
  }

  protected isLive(): boolean {
    return this.#state === EXCHANGE_STATES.awaiting || this.#state === EXCHANGE_STATES.streaming;
  }

  protected isOver(): boolean {
    return this.#state === EXCHANGE_STATES.over;
  }

  readBody(): Promise<Uint8Array | undefined> {
    if (!this.hasBody) return Promise.resolve(undefined);
    if (!this.isLive()) {
      return Promise.reject(new ChannelError(this.isClientGone ? "CLIENT_GONE" : "ALREADY_ANSWERED"));
    }
    const input = this.#ensureInput();
    const part = input.nextPart(this.declaredBytes());
    try {
      if (input.isAwaited) this.pullBody(input);
    } catch (error) {
      input.fail(error);
    }
    return part;
  }

  holdsBody(bytes: number): boolean {
    if (!this.isLive() || (bytes === 0 && this.#input === undefined)) return true;
    const input = this.#ensureInput();
    input.holdBody(bytes);
    return input.count();
  }

  write(part: string | Uint8Array, encoded?: EncodedBody): void {
    if (this.#state !== EXCHANGE_STATES.streaming || part.length === 0) return;
    if (encoded !== undefined && this.#remainingBytes === undefined) this.appendShared(encoded);
    else {
      const length = lengthOf(part);
      if (this.#remainingBytes !== undefined) {
        if (length > this.#remainingBytes) throw new ChannelError("BODY_LENGTH_MISMATCH", "it is longer");
        this.#remainingBytes -= length;
      }
      this.appendPart(pieceOf(part, length), length);
    }
    this.queueFlush();
  }

  end(): void {
    if (this.#state !== EXCHANGE_STATES.streaming) return;
    if (this.#remainingBytes !== undefined && this.#remainingBytes > 0) {
      throw new ChannelError("BODY_LENGTH_MISMATCH", `${this.#remainingBytes} bytes are missing`);
    }
    this.flush();
    this.endBody();
  }

  /** Writes the output of this turn, now. */
  flush(): void {
    this.#isFlushQueued = false;
    if (this.#state !== EXCHANGE_STATES.streaming) return;
    const output = this.takeOutput();
    if (output !== undefined) this.writeOutput(output);
  }

  /** All clients together have sent too much: refuses the request if it holds its equal share or more. */
  makeRoom(): void {
    if (this.isLive()) this.#input?.makeRoom();
  }

  /** Ends the exchange with this error: its client gets it, if no response has begun. */
  refuse(error: ChannelError): void {
    if (!this.isLive()) return;
    const canAnswer = !this.isAnswered;
    this.isClientGone = true;
    this.#input?.fail(error);
    if (canAnswer) this.answerError(error);
    else this.dropResponse(error);
    this.listener?.onGone(error);
    if (canAnswer) return;
    this.leave();
    this.context.onExchangeCut(this, this.status);
  }

  /** Answers a request with this error, in place of the application. */
  protected answerError(error: ChannelError): void {
    // RFC 9110 §15.6.4: the client may come back, and is told when.
    const retry = error.status === 503 ? ["Retry-After", "1"] : NO_FIELDS;
    const fields = [...TEXT_PLAIN, ...retry, ...withoutContentFields(this.refusalFields), "Connection", "close"];
    this.respond({ status: error.status!, fields }, `${error.message}\n`);
  }

  /** Called about twice a second. True if the request was refused. */
  protected tickInput(now: number): boolean {
    return this.isLive() && this.#ensureInput().tick(now);
  }

  /** Counts the bytes that have arrived. False if the request was refused for them. */
  protected countInput(): boolean {
    if (!this.isLive() || (this.#input === undefined && this.unreadBytes() === 0)) return true;
    return this.#ensureInput().count();
  }

  /** Brings a part to a reader that waits for one. */
  protected feedReader(): void {
    if (this.#input?.isAwaited === true) this.pullBody(this.#input);
  }

  /** A response has begun whose body grows. `length`: undefined if it was not declared. */
  protected bodyBegins(length: number | undefined): void {
    this.#remainingBytes = length;
    this.#moveTo(this.#state.start);
  }

  protected appendShared(encoded: EncodedBody): void {
    this.output.shared(encoded.bare);
  }

  protected appendPart(piece: Piece, _length: number): void {
    this.output.piece(piece);
  }

  /** Writes the output at the end of this turn, or now if it is long. */
  protected queueFlush(): void {
    if (this.outputSize >= FLUSH_BYTES) this.flush();
    else if (!this.#isFlushQueued) {
      this.#isFlushQueued = true;
      this.context.flusher.add(this);
    }
  }

  /** The response is complete: it is over, or ends when the client has taken the rest. `status` is its own. */
  protected responseEnded(next: "ending" | "over"): void {
    if (this.#input?.isAwaited === true) this.#input.fail(new ChannelError("ALREADY_ANSWERED"));
    if (next === "over") this.leave();
    else {
      this.release();
      this.#moveTo(this.#state.complete);
    }
    this.context.onExchangeEnd(this, this.status!);
  }

  /** The client is gone before its response was complete. */
  protected cut(error: Error | undefined): void {
    this.leave();
    this.isClientGone = true;
    if (this.#input?.isAwaited === true) {
      this.#input.fail(new ChannelError("CLIENT_GONE", undefined, { cause: error }));
    }
    this.listener?.onGone(error);
    this.context.onExchangeCut(this, this.status);
  }

  /** The client left before this exchange was made. */
  protected begunWithoutClient(): void {
    this.isClientGone = true;
    this.#moveTo(this.#state.leave);
  }

  /** Ends the exchange. The server is not told: the caller does that. */
  protected leave(): void {
    if (this.#state === EXCHANGE_STATES.over) return;
    this.#moveTo(this.#state.leave);
    this.release();
    this.onOver();
  }

  /** Releases the memory that only a live exchange needs. */
  protected release(): void {
    this.#input?.release();
  }

  #ensureInput(): RequestInput {
    this.#input ??= new RequestInput(this, this.context);
    return this.#input;
  }

  /** `state`: the state after a step; undefined if the present state has no such step. */
  #moveTo(state: ExchangeState | undefined): void {
    if (state === undefined) throw new Error(`an exchange is ${this.#state.name}, which does not allow this step`);
    this.#state = state;
  }
}

/** Bytes of a body or a part of it. */
export function lengthOf(data: string | Uint8Array): number {
  return typeof data === "string" ? utf8Length(data) : data.length;
}

/** The data as it is written; `length` is that of `lengthOf`. */
export function pieceOf(data: string | Uint8Array, length: number): Piece {
  return typeof data === "string" && length !== data.length ? utf8Bytes(data) : data;
}
