// The Exchange over a Fetch `Request`, whose answer is a Fetch `Response`. The host reads the request and writes the response;
// a body that goes on is a stream that the host pulls.
// Long because reading, writing and the end of one request share its state.

import { type Piece, utf8Bytes, utf8Length } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import { OutputSource } from "../../base/output.ts";
import { withoutContentFields, withoutNames, withPageFields } from "../../codec/field-list.ts";
import { fieldValue, type RequestHead } from "../../codec/http1-request.ts";
import { type ResponseHead, statusHasBody } from "../../codec/http1-response.ts";
import { hasListMember, isAuthority } from "../../codec/http1-syntax.ts";
import { encodeComment } from "../../codec/sse.ts";
import type { WebSocketRequestKind } from "../../codec/ws-handshake.ts";
import type { EncodedBody } from "../../protocol/encoded-message.ts";
import { readOwnFields } from "../../protocol/framing-headers.ts";
import type { ExchangeServer } from "../../server/exchange-server.ts";
import type { Connection } from "../../server/exchange-source.ts";
import type { Exchange, ExchangeListener, WebSocketOptions } from "../../transport/exchange.ts";
import { TEXT_PLAIN } from "../../transport/http/transport.ts";
import { Inactivity } from "../../transport/http1/inactivity.ts";
import { ReceivedMemory } from "../../transport/http1/received-memory.ts";
import type { Flushable } from "../../transport/io/flusher.ts";
import { FLUSH_BYTES } from "../../transport/limits.ts";
import type { Transport } from "../../transport/transport.ts";
import { checkHead } from "../check-head.ts";
import type { HostWebSocket } from "../native/transport.ts";
import { ResponseStream } from "./response-stream.ts";
import type { ServerSide } from "./server-side.ts";

const NO_FIELDS: readonly string[] = [];
/** The host has no extension that we have agreed on: it negotiates by itself. */
const OF_EXTENSIONS: ReadonlySet<string> = new Set(["sec-websocket-extensions"]);

/**
 * awaiting   no response has begun
 * streaming  a response has begun, and its body grows
 * ending     the response is complete, and the host has not asked for all of it
 * over       nothing is read or written any more
 */
type ExchangeState = "awaiting" | "streaming" | "ending" | "over";

/** Every legal move. */
const MOVES: Record<ExchangeState, readonly ExchangeState[]> = {
  awaiting: ["streaming", "ending", "over"],
  streaming: ["ending", "over"],
  ending: ["over"],
  over: [],
};

export interface FetchExchangeOwner {
  readonly server: ExchangeServer;
  /** The exchange lasts: it is ticked until `closed`. */
  opened(exchange: FetchExchange): void;
  closed(exchange: FetchExchange): void;
  /** Makes the transport of a WebSocket that the host is about to open. */
  toWebSocket(exchange: FetchExchange, options: WebSocketOptions): HostWebSocket;
}

/** The answer of an exchange; undefined where the host needs none, because it has switched to a WebSocket. */
type Answer = Response | undefined;

export class FetchExchange extends OutputSource implements Exchange, Connection, Flushable {
  index: number | undefined = undefined;
  readonly httpVersion = "1.1";
  readonly head: Exchange["head"];
  listener: ExchangeListener | undefined;
  pageFields: readonly string[] | undefined;
  refusalFields: readonly string[] = NO_FIELDS;
  isClientGone = false;
  readonly bytesReceived = 0;
  readonly bytesSent = 0;
  readonly #owner: FetchExchangeOwner;
  readonly #request: Request;
  readonly #side: ServerSide;
  #state: ExchangeState = "awaiting";
  #status: number | undefined;
  #answer: { readonly response: Answer } | undefined;
  #onAnswer: ((answer: Answer) => void) | undefined;
  #stream: ResponseStream | undefined;
  #isEventStream = false;
  #hasWritten = false;
  #isFlushQueued = false;
  #remainingBytes: number | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** Rejects a read of the body that waits. */
  #failRead: ((error: ChannelError) => void) | undefined;
  #bodyBytes = 0;
  #memory: ReceivedMemory | undefined;
  #inactivity: Inactivity | undefined;

  constructor(owner: FetchExchangeOwner, request: Request, side: ServerSide) {
    super();
    this.#owner = owner;
    this.#request = request;
    this.#side = side;
    const { url, headers } = request;
    const fields: string[] = [];
    headers.forEach((value, name) => void fields.push(name, value));
    const afterScheme = url.indexOf("://") + 3;
    const path = url.indexOf("/", afterScheme);
    this.head = {
      method: request.method,
      target: path === -1 ? "/" : url.slice(path),
      fields,
      // A request of HTTP/2 has no Host field.
      host: headers.get("host") ?? url.slice(afterScheme, path === -1 ? undefined : path),
      minor: 1,
    };
    if (request.signal.aborted) {
      this.isClientGone = true;
      this.#state = "over";
    } else request.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  get scheme(): "http" | "https" {
    return this.isEncrypted ? "https" : "http";
  }

  get isEncrypted(): boolean {
    return this.#request.url.startsWith("https:");
  }

  get remoteAddress(): string | undefined {
    return this.#side.addressOf(this.#request);
  }

  /** RFC 9112 §3.2: the origin of a page is compared with the host. */
  get hasHost(): boolean {
    return isAuthority(this.head.host);
  }

  get webSocketRequest(): WebSocketRequestKind | undefined {
    const upgrade = this.#request.headers.get("upgrade");
    return upgrade !== null && hasListMember(upgrade, "websocket") ? "upgrade" : undefined;
  }

  get hasBody(): boolean {
    return this.#request.body !== null;
  }

  get isAnswered(): boolean {
    return this.#state !== "awaiting";
  }

  get bufferedAmount(): number {
    return this.#state === "streaming" ? this.outputSize + this.#stream!.bufferedAmount : 0;
  }

  get pinnedBytes(): number {
    return this.#state === "streaming" ? this.#stream!.pinnedBytes : 0;
  }

  get #isLive(): boolean {
    return this.#state === "awaiting" || this.#state === "streaming";
  }

  /** The answer: a response at once where there is one already. */
  toAnswer(): Answer | Promise<Answer> {
    if (this.#answer !== undefined) return this.#answer.response;
    return new Promise((resolve) => {
      this.#onAnswer = resolve;
    });
  }

  async readBody(): Promise<Uint8Array | undefined> {
    if (!this.hasBody) return undefined;
    if (!this.#isLive) throw new ChannelError(this.isClientGone ? "CLIENT_GONE" : "ALREADY_ANSWERED");
    const max = this.#maxBodyBytes();
    if (Number(this.#request.headers.get("content-length") ?? 0) > max) throw this.#refuseBody();
    if (this.#reader === undefined) {
      if (this.#request.bodyUsed || this.#request.body!.locked) {
        throw new ChannelError("BODY_USED", "other code has read the body: pass the request on unread");
      }
      this.#reader = this.#request.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    }
    const failed = new Promise<never>((_, reject) => {
      this.#failRead = reject;
    });
    let part: Uint8Array | undefined;
    try {
      part = (await Promise.race([this.#reader.read(), failed])).value;
    } catch (error) {
      if (error instanceof ChannelError) throw error;
      throw new ChannelError("CLIENT_GONE", "the request body is incomplete", { cause: error });
    } finally {
      this.#failRead = undefined;
    }
    this.#bodyBytes += part?.length ?? 0;
    if (this.#bodyBytes > max) throw this.#refuseBody();
    return part;
  }

  holdsBody(bytes: number): boolean {
    if (!this.#isLive) return true;
    if (bytes === 0 && this.#memory === undefined) return true;
    this.#memory ??= new ReceivedMemory();
    this.#memory.holdBody(bytes);
    return this.#countReceived();
  }

  respond(response: ResponseHead, body: string | Uint8Array | null): void {
    if (this.#state !== "awaiting") return;
    const length = body === null ? 0 : typeof body === "string" ? utf8Length(body) : body.length;
    const { init, hasBody } = this.#toInit(response, length);
    // Bytes are handed over as they are: Bun would add a content type to a text.
    const content = hasBody && length > 0 ? (typeof body === "string" ? utf8Bytes(body) : body) : null;
    this.#give(new Response(content as Uint8Array<ArrayBuffer> | null, init), response.status);
    this.#answered();
  }

  start(response: ResponseHead, length?: number): boolean {
    if (this.#state !== "awaiting") return false;
    const { init, hasBody } = this.#toInit(response, length);
    if (!hasBody) {
      this.#give(new Response(null, init), response.status);
      this.#answered();
      return false;
    }
    this.#remainingBytes = length;
    this.#isEventStream = fieldValue(response.fields, "content-type") === "text/event-stream";
    this.#stream = new ResponseStream({
      budget: this.#owner.server.budget,
      emptied: () => this.#emptied(),
      cancelled: () => this.#onAbort(),
    });
    this.#moveTo("streaming");
    this.lasts();
    this.#give(new Response(this.#stream.stream, init), response.status);
    return true;
  }

  write(part: string | Uint8Array, encoded?: EncodedBody): void {
    if (this.#state !== "streaming" || part.length === 0) return;
    const length = typeof part === "string" ? utf8Length(part) : part.length;
    if (this.#remainingBytes !== undefined) {
      if (length > this.#remainingBytes) throw new ChannelError("BODY_LENGTH_MISMATCH", "it is longer");
      this.#remainingBytes -= length;
    }
    const piece: Piece = typeof part === "string" && length !== part.length ? utf8Bytes(part) : part;
    if (encoded !== undefined) this.output.shared(encoded.bare);
    else this.output.piece(piece);
    this.#queueFlush();
  }

  end(): void {
    if (this.#state !== "streaming") return;
    if (this.#remainingBytes !== undefined && this.#remainingBytes > 0) {
      throw new ChannelError("BODY_LENGTH_MISMATCH", `${this.#remainingBytes} bytes are missing`);
    }
    this.flush();
    this.#answered();
    this.#stream!.end();
  }

  flush(): void {
    this.#isFlushQueued = false;
    if (this.#state !== "streaming") return;
    const output = this.takeOutput();
    if (output !== undefined) this.#write(output);
    // Bun and others write a head together with the first byte of the body: a browser would not see that it is connected.
    else if (this.#isEventStream && !this.#hasWritten) this.#write(encodeComment());
  }

  abort(): void {
    if (!this.#isLive) return;
    this.flush();
    this.#breakOff();
    this.#cut(undefined);
  }

  /** The host tells by itself that a client has left. */
  probe(): void {}

  endWhenSilent(): void {}

  acceptWebSocket(fields: readonly string[], options: WebSocketOptions): Transport {
    if (this.#side.upgrade === undefined) {
      throw new ChannelError(
        "BAD_HANDSHAKE",
        "this server has no WebSockets, or its second argument was not passed on",
      );
    }
    checkHead({ status: 101, fields });
    const transport = this.#owner.toWebSocket(this, options);
    let response: Answer;
    try {
      response = this.#side.upgrade(this.#request, withoutNames(fields, OF_EXTENSIONS), transport);
    } catch (error) {
      transport.socketClosed({ by: "network", code: 1006, reason: "" });
      throw error;
    }
    this.#request.signal.removeEventListener("abort", this.#onAbort);
    this.#status = 101;
    this.#leave();
    this.#setAnswer(response);
    this.#owner.server.onExchangeEnd(this, 101);
    return transport;
  }

  /** Follows the client of an exchange that is not answered in the turn of its request. */
  lasts(): void {
    if (this.#isLive && this.index === undefined) this.#owner.opened(this);
  }

  tick(now: number): boolean {
    const { timeouts, limits } = this.#owner.server;
    if (this.#stream?.isStalled(now, limits.writeTimeoutMs) === true) {
      this.#breakOff();
      if (this.#isLive) this.#cut(new ChannelError("WRITE_TIMEOUT"));
      else this.#leave();
      return true;
    }
    if (!this.#isLive) return false;
    this.#memory ??= new ReceivedMemory();
    this.#memory.holdHead(this.head as RequestHead);
    if (!this.#countReceived()) return true;
    const awaited = this.#failRead === undefined ? "nothing" : "body";
    this.#inactivity ??= new Inactivity();
    if (!this.#inactivity.hasExpired(now, { awaited, requests: 0, bodyBytes: this.#bodyBytes }, timeouts)) return false;
    this.#refuse(new ChannelError("REQUEST_TIMEOUT"));
    return true;
  }

  makeRoom(): void {
    if (this.#memory?.isShareSpent(this.#owner.server.received) === true)
      this.#refuse(new ChannelError("RECEIVE_OVERFLOW"));
  }

  /** Drops what is open. */
  drop(): void {
    if (this.#isLive) this.abort();
    else {
      this.#stream?.fail(new ChannelError("CONNECTION_CLOSED"));
      this.#leave();
    }
  }

  /** The host says that the client has left. */
  readonly #onAbort = (): void => {
    if (this.#state === "over") return;
    this.#stream?.release();
    if (this.#isLive) this.#cut(undefined);
    else this.#leave();
  };

  #write(output: Piece | readonly Piece[]): void {
    this.#hasWritten = true;
    this.#stream!.write(output);
    if (this.#stream!.bufferedAmount === 0) this.listener?.onDrain();
  }

  #toInit(response: ResponseHead, length: number | undefined): { init: ResponseInit; hasBody: boolean } {
    const { status } = response;
    const isHead = this.head.method === "HEAD";
    const fields = this.pageFields === undefined ? response.fields : withPageFields(response.fields, this.pageFields);
    checkHead({ status, fields });
    const own = readOwnFields(fields);
    const hasBody = statusHasBody(status) && !isHead;
    const headers = new Headers();
    const sent = own.fields ?? fields;
    for (let i = 0; i < sent.length; i += 2) headers.append(sent[i]!, sent[i + 1]!);
    if (own.close) headers.set("connection", "close");
    if (hasBody && length !== undefined) headers.set("content-length", String(length));
    else if (status === 304 || (isHead && statusHasBody(status))) {
      const known = own.length ?? (isHead && length !== undefined ? String(length) : undefined);
      if (known !== undefined) headers.set("content-length", known);
    }
    return { init: { status, headers }, hasBody };
  }

  #give(response: Response, status: number): void {
    this.#status = status;
    this.#setAnswer(response);
  }

  #setAnswer(response: Answer): void {
    this.#answer = { response };
    this.#onAnswer?.(response);
  }

  #queueFlush(): void {
    if (this.outputSize >= FLUSH_BYTES) this.flush();
    else if (!this.#isFlushQueued) {
      this.#isFlushQueued = true;
      this.#owner.server.flusher.add(this);
    }
  }

  #emptied(): void {
    if (this.#state === "ending") this.#leave();
    else if (this.outputSize === 0) this.listener?.onDrain();
  }

  /** Breaks the response off. One that has not begun is given a body that fails: the host drops the connection then. */
  #breakOff(): void {
    const error = new ChannelError("CONNECTION_CLOSED");
    if (this.#stream !== undefined) this.#stream.fail(error);
    else this.#setAnswer(new Response(new ReadableStream({ pull: (controller) => controller.error(error) })));
  }

  /** The response is complete. */
  #answered(): void {
    this.#failRead?.(new ChannelError("ALREADY_ANSWERED"));
    if (this.#stream === undefined) this.#leave();
    else {
      this.#release();
      this.#moveTo("ending");
    }
    this.#owner.server.onExchangeEnd(this, this.#status!);
  }

  #cut(error: Error | undefined): void {
    this.#leave();
    this.isClientGone = true;
    this.#failRead?.(new ChannelError("CLIENT_GONE", undefined, { cause: error }));
    if (this.#answer === undefined) this.#setAnswer(new Response(null, { status: 499 }));
    this.listener?.onGone(error);
    this.#owner.server.onExchangeCut(this, this.#status);
  }

  #maxBodyBytes(): number {
    const { maxBodyBytes, maxBodyBytesOf } = this.#owner.server.http;
    return Math.max(maxBodyBytesOf?.(this.head as RequestHead) ?? 0, maxBodyBytes);
  }

  #refuseBody(): ChannelError {
    const error = new ChannelError("BODY_TOO_LARGE");
    this.#refuse(error);
    return error;
  }

  /** Answers with this error instead of the application, and reads no more. */
  #refuse(error: ChannelError): void {
    if (!this.#isLive) return;
    const isAnswered = this.#state === "awaiting";
    this.isClientGone = true;
    this.#failRead?.(error);
    if (isAnswered) {
      const fields = [...TEXT_PLAIN, ...withoutContentFields(this.refusalFields), "Connection", "close"];
      this.respond({ status: error.status!, fields }, `${error.message}\n`);
    } else this.#breakOff();
    this.listener?.onGone(error);
    if (isAnswered) return;
    this.#leave();
    this.#owner.server.onExchangeCut(this, this.#status);
  }

  /** Updates the budget. False if this client has to make room: it was refused then. */
  #countReceived(): boolean {
    if (this.#memory!.count(0, this.#owner.server.received)) return true;
    this.#refuse(new ChannelError("RECEIVE_OVERFLOW"));
    return false;
  }

  #release(): void {
    this.#memory?.release(this.#owner.server.received);
  }

  #leave(): void {
    if (this.#state === "over") return;
    this.#moveTo("over");
    this.#release();
    // What is not read of a body is not kept.
    if (this.#reader !== undefined) void this.#reader.cancel().catch(() => {});
    if (this.index !== undefined) this.#owner.closed(this);
  }

  #moveTo(state: ExchangeState): void {
    if (!MOVES[this.#state].includes(state)) throw new Error(`an exchange cannot go from ${this.#state} to ${state}`);
    this.#state = state;
  }
}
