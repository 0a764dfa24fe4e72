// The Exchange over a request and a response of node:http. Node reads the request and writes the heads; the bytes of a
// response that goes on are written here, once a turn, so that they are counted and a client that stops reading is found.
// Long because reading, writing and the end of one request share its state.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Piece } from "../../base/bytes.ts";
import { utf8Bytes, utf8Length } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import { OutputSource } from "../../base/output.ts";
import { withoutContentFields } from "../../codec/field-list.ts";
import type { RequestHead } from "../../codec/http1-request.ts";
import { encodeChunk, type ResponseHead, statusHasBody } from "../../codec/http1-response.ts";
import { hasListMember, isAuthority } from "../../codec/http1-syntax.ts";
import type { WebSocketRequestKind } from "../../codec/ws-handshake.ts";
import type { EncodedBody } from "../../protocol/encoded-message.ts";
import { readOwnFields } from "../../protocol/framing-headers.ts";
import { ChannelRequest } from "../../request/request.ts";
import { addressOf } from "../../server/address.ts";
import type { ExchangeServer } from "../../server/exchange-server.ts";
import type { Connection } from "../../server/exchange-source.ts";
import { findReset } from "../../server/socket-write.ts";
import type { Exchange, ExchangeListener, WebSocketOptions } from "../../transport/exchange.ts";
import { TEXT_PLAIN } from "../../transport/http/transport.ts";
import { ClientProbe, SilenceWatch } from "../../transport/http1/client-probe.ts";
import { Inactivity } from "../../transport/http1/inactivity.ts";
import { ReceivedMemory } from "../../transport/http1/received-memory.ts";
import type { Flushable } from "../../transport/io/flusher.ts";
import { MIN_SLICE_BYTES } from "../../transport/io/write-queue.ts";
import { FLUSH_BYTES } from "../../transport/limits.ts";
import type { Transport } from "../../transport/transport.ts";
import { checkHead } from "../check-head.ts";
import { type ExchangeState, moveExchange } from "../exchange-state.ts";
import { HeldResponse } from "./held-response.ts";
import type { HostExchange } from "./host-server.ts";
import { BAD_HOST, BAD_VERSION, type Refusal } from "./refusal.ts";
import { RequestBody } from "./request-body.ts";
import {
  fieldsSetBefore,
  fieldsSetForUpgrade,
  isUnwrapped,
  withoutTrailerField,
  withSetFields,
  withSetFieldsOfUpgrade,
  writeFields,
} from "./response-head.ts";
import { MessageSink, ResponseWriter, SocketSink } from "./response-writer.ts";

const NO_FIELDS: readonly string[] = [];

/** An upgrade that waits for its answer. */
export interface PendingUpgrade {
  /** Switches the protocol: gives the socket up, with the bytes that came after the request. */
  accept(): { readonly socket: Socket; readonly rest: Uint8Array | undefined };
}

/** The host of an exchange. */
export interface NodeExchangeOwner {
  readonly server: ExchangeServer;
  /** True if a client that ends its side may wait for its answer. */
  readonly allowsHalfOpen: boolean;
  /** The exchange lasts: it is ticked until `closed`. */
  opened(exchange: NodeExchange): void;
  closed(exchange: NodeExchange): void;
  acceptWebSocket(
    upgrade: PendingUpgrade,
    request: IncomingMessage,
    fields: readonly string[],
    options: WebSocketOptions,
  ): Transport;
}

export interface NodeMessages {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The body, where a parser of the application has read it. */
  readonly body: Uint8Array | undefined;
  /** Undefined for a request that the host takes for an ordinary one. */
  readonly upgrade: PendingUpgrade | undefined;
}

export class NodeExchange extends OutputSource implements Exchange, HostExchange, Connection, Flushable {
  index: number | undefined = undefined;
  listener: ExchangeListener | undefined;
  pageFields: readonly string[] | undefined;
  refusalFields: readonly string[] = NO_FIELDS;
  isClientGone = false;
  readonly head: Exchange["head"];
  readonly #owner: NodeExchangeOwner;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #socket: Socket;
  readonly #upgrade: PendingUpgrade | undefined;
  readonly #given: Uint8Array | undefined;
  #isGivenRead = false;
  #state: ExchangeState = "awaiting";
  /** The status of the response; undefined until it has begun. */
  #status: number | undefined;
  /** Undefined until the body is read. */
  #body: RequestBody | undefined;
  #memory: ReceivedMemory | undefined;
  #inactivity: Inactivity | undefined;
  /** Undefined until a response goes on, or is too long to be written at once. */
  #writer: ResponseWriter | undefined;
  /** Undefined unless Node holds a response that was written at once. */
  #held: HeldResponse | undefined;
  #framing: "chunked" | "raw" = "raw";
  /** Bytes that a body with a declared length still lacks; undefined if it has none. */
  #remainingBytes: number | undefined;
  #isFlushQueued = false;
  /** The response is to end when the client has taken what is queued. */
  #endsWhenEmpty = false;
  #probe: ClientProbe | undefined;
  #silence: SilenceWatch | undefined;

  constructor(owner: NodeExchangeOwner, { request, response, body, upgrade }: NodeMessages) {
    super();
    this.#owner = owner;
    this.#request = request;
    this.#response = response;
    this.#socket = request.socket;
    this.#given = body;
    this.#upgrade = upgrade;
    this.head = {
      method: request.method!,
      // Express and Connect cut the path of a mounted handler off `url`.
      target: (request as { originalUrl?: string }).originalUrl ?? request.url!,
      fields: request.rawHeaders,
      host: request.headers.host ?? "",
      minor: request.httpVersionMinor === 0 ? 0 : 1,
    };
    if (response.destroyed || this.#socket.destroyed) {
      this.isClientGone = true;
      this.#state = "over";
    }
  }

  get httpVersion(): string {
    return this.#request.httpVersion;
  }

  get scheme(): "http" | "https" {
    return this.isEncrypted ? "https" : "http";
  }

  get isEncrypted(): boolean {
    return "encrypted" in this.#socket;
  }

  get remoteAddress(): string | undefined {
    return addressOf(this.#socket);
  }

  get exchange(): this {
    return this;
  }

  get refusal(): Refusal | undefined {
    if (this.#request.httpVersionMajor !== 1) return BAD_VERSION;
    return this.#hasHost ? undefined : BAD_HOST;
  }

  /** RFC 9112 §3.2: one Host, which is an authority. Node lets others pass; the origin of a page would be compared with them. */
  get #hasHost(): boolean {
    const { host, minor, fields } = this.head;
    let hosts = 0;
    for (let i = 0; i < fields.length; i += 2) if (fields[i]!.length === 4 && /^host$/i.test(fields[i]!)) hosts += 1;
    return hosts === 1 ? isAuthority(host) : hosts === 0 && minor === 0;
  }

  /** The bytes of ordinary requests are the host's: a connection carries others, too. */
  get bytesReceived(): number {
    return 0;
  }

  get bytesSent(): number {
    return 0;
  }

  get webSocketRequest(): WebSocketRequestKind | undefined {
    const { upgrade } = this.#request.headers;
    return upgrade !== undefined && hasListMember(upgrade, "websocket") ? "upgrade" : undefined;
  }

  get hasBody(): boolean {
    if (this.#given !== undefined) return true;
    const { headers } = this.#request;
    return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
  }

  get isAnswered(): boolean {
    return this.#state !== "awaiting" || this.#response.headersSent;
  }

  get bufferedAmount(): number {
    return this.#state === "streaming" ? this.outputSize + (this.#writer?.bufferedAmount ?? 0) : 0;
  }

  get pinnedBytes(): number {
    return this.#state === "streaming" ? (this.#writer?.pinnedBytes ?? 0) : 0;
  }

  /** Node stops reading the connection while nobody takes a body, and while many answers wait for earlier ones. */
  get isReadingPaused(): boolean {
    const { readableLength, readableHighWaterMark } = this.#request;
    const isFull = readableLength > 0 && readableLength >= readableHighWaterMark;
    return this.#isLive && (isFull || this.#socket.isPaused());
  }

  get #isLive(): boolean {
    return this.#state === "awaiting" || this.#state === "streaming";
  }

  readBody(): Promise<Uint8Array | undefined> {
    if (this.#given !== undefined) {
      const rest = this.#isGivenRead ? undefined : this.#given;
      this.#isGivenRead = true;
      return Promise.resolve(rest);
    }
    if (!this.hasBody) return Promise.resolve(undefined);
    if (!this.#isLive) return Promise.reject(new ChannelError(this.isClientGone ? "CLIENT_GONE" : "ALREADY_ANSWERED"));
    const body = (this.#body ??= new RequestBody(this.#request));
    const max = this.#maxBodyBytes();
    if (Number(this.#request.headers["content-length"] ?? 0) > max) return this.#refuseBody();
    return body.next().then((part) => (body.bytes > max ? this.#refuseBody() : part));
  }

  holdsBody(bytes: number): boolean {
    if (!this.#isLive) return true;
    if (bytes === 0 && this.#memory === undefined) return true;
    const memory = (this.#memory ??= new ReceivedMemory());
    memory.holdBody(bytes);
    return this.#countReceived();
  }

  respond(response: ResponseHead, body: string | Uint8Array | null): void {
    if (this.#state !== "awaiting") return;
    const bytes = body === null ? 0 : typeof body === "string" ? utf8Length(body) : body.length;
    const hasBody = this.#writeHead(response, bytes);
    if (!hasBody || body === null || bytes === 0) this.#response.end();
    else if (bytes <= 2 * MIN_SLICE_BYTES) this.#response.end(body);
    else {
      this.#begin();
      this.#writer!.write(typeof body === "string" ? utf8Bytes(body) : body);
      this.#endBody();
    }
    this.#answered();
  }

  start(response: ResponseHead, length?: number): boolean {
    if (this.#state !== "awaiting") return false;
    const hasBody = this.#writeHead(response, length);
    if (!hasBody) {
      this.#response.end();
      this.#answered();
      return false;
    }
    this.#remainingBytes = length;
    this.#begin();
    this.#moveTo("streaming");
    this.#queueFlush();
    return true;
  }

  write(part: string | Uint8Array, encoded?: EncodedBody): void {
    if (this.#state !== "streaming" || part.length === 0) return;
    if (encoded !== undefined && this.#framing === "chunked") this.output.shared(encoded.chunk);
    else this.#writePart(part);
    this.#queueFlush();
  }

  end(): void {
    if (this.#state !== "streaming") return;
    if (this.#remainingBytes !== undefined && this.#remainingBytes > 0) {
      throw new ChannelError("BODY_LENGTH_MISMATCH", `${this.#remainingBytes} bytes are missing`);
    }
    this.flush();
    this.#endBody();
    this.#answered();
  }

  /** Writes the output of this turn, now. */
  flush(): void {
    this.#isFlushQueued = false;
    if (this.#state !== "streaming") return;
    const output = this.takeOutput();
    if (output === undefined) return;
    this.#silence?.wrote();
    this.#writer!.write(output);
    if (this.#writer!.bufferedAmount === 0) this.listener?.onDrain();
  }

  abort(): void {
    if (!this.#isLive) return;
    this.flush();
    // Node writes what it holds at the end of the turn.
    process.nextTick(() => this.#response.destroy());
    this.#cut(undefined);
  }

  probe(): void {
    if (this.#state !== "awaiting" || this.head.minor === 0) return;
    if (this.#probe === undefined || this.#probe.isOver) {
      this.#probe = new ClientProbe(this.#owner.server.clock, () => this.#sendProbe());
    }
  }

  endWhenSilent(): void {
    if (!this.#isLive) return;
    this.#silence ??= new SilenceWatch(
      this.#owner.server.clock,
      () => this.bufferedAmount > 0,
      () => this.abort(),
    );
  }

  acceptWebSocket(fields: readonly string[], options: WebSocketOptions): Transport {
    const upgrade = this.#upgrade;
    if (upgrade === undefined) throw new ChannelError("BAD_HANDSHAKE", "another listener has taken this upgrade");
    const own = withSetFieldsOfUpgrade(fields, fieldsSetForUpgrade(this.#response));
    const transport = this.#owner.acceptWebSocket(upgrade, this.#request, own, options);
    this.#status = 101;
    this.#leave();
    this.#owner.server.onExchangeEnd(this, 101);
    return transport;
  }

  /** Follows the client of an exchange that is not answered in the turn of its request. */
  lasts(): void {
    if (!this.#isLive || this.index !== undefined) return;
    this.#owner.opened(this);
    this.#response.once("close", () => this.#closed());
    // Node ends its side, and so the exchange, unless the server allows half-open connections.
    if (this.#owner.allowsHalfOpen) this.#socket.once("end", this.#onHalfClose);
  }

  tick(now: number): boolean {
    const { timeouts, limits } = this.#owner.server;
    // A response that waits for an earlier one on its connection has no "close" of its own.
    if (this.#socket.destroyed) {
      this.#closed();
      return false;
    }
    if (this.#isStalled(now, limits.writeTimeoutMs)) {
      this.#socket.destroy(new ChannelError("WRITE_TIMEOUT"));
      return true;
    }
    if (!this.#isLive) return false;
    if (this.isReadingPaused) findReset(this.#socket);
    this.#probe?.tick();
    const memory = (this.#memory ??= new ReceivedMemory());
    memory.holdHead(this.head as RequestHead);
    if (!this.#countReceived()) return true;
    const awaited = this.#body?.isAwaited === true ? "body" : "nothing";
    this.#inactivity ??= new Inactivity();
    const bodyBytes = this.#body?.bytes ?? 0;
    if (!this.#inactivity.hasExpired(now, { awaited, requests: 0, bodyBytes }, timeouts)) return false;
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
    else this.#response.destroy();
  }

  readonly #onHalfClose = (): void => {
    if (!this.#isLive) return;
    this.isClientGone = true;
    this.listener?.onHalfClose();
  };

  /** Writes the head. False if the response can have no body. */
  #writeHead(response: ResponseHead, length: number | undefined): boolean {
    const res = this.#response;
    if (res.headersSent || res.writableEnded) {
      throw new ChannelError("ALREADY_ANSWERED", "other code has begun the response of this exchange");
    }
    const { status } = response;
    const isHead = this.head.method === "HEAD";
    const set = fieldsSetBefore(res);
    const fields = withSetFields(response.fields, set, this.pageFields);
    checkHead({ status, fields });
    const own = readOwnFields(fields);
    let sent = own.fields ?? fields;
    const add = (name: string, value: string): void => void (sent = [...sent, name, value]);
    if (own.close) add("Connection", `${own.connection}close`);
    else if (own.connection !== "") add("Connection", own.connection.slice(0, -2));
    const hasBody = statusHasBody(status) && !isHead;
    if (!hasBody || length !== undefined || this.head.minor === 0) sent = withoutTrailerField(sent);
    if (hasBody && length !== undefined) add("Content-Length", String(length));
    // RFC 9110 §15.3.6: no content, and said so.
    else if (status === 205) add("Content-Length", "0");
    else if (status === 304 || (isHead && statusHasBody(status))) {
      const known = own.length ?? (isHead && length !== undefined ? String(length) : undefined);
      if (known !== undefined) add("Content-Length", known);
    }
    writeFields(res, { status, fields: sent }, set.length > 0);
    this.#status = status;
    return hasBody;
  }

  /** Chooses the way of the body. */
  #begin(): void {
    const res = this.#response;
    const { budget } = this.#owner.server;
    const onEmpty = (): void => this.#emptied();
    res.flushHeaders();
    if (isUnwrapped(res) && res.socket === this.#socket) {
      this.#framing = res.chunkedEncoding ? "chunked" : "raw";
      this.#writer = new ResponseWriter(new SocketSink(this.#socket), budget, onEmpty);
    } else this.#writer = new ResponseWriter(new MessageSink(res), budget, onEmpty);
    this.lasts();
  }

  #writePart(part: string | Uint8Array): void {
    const length = typeof part === "string" ? utf8Length(part) : part.length;
    if (this.#remainingBytes !== undefined) {
      if (length > this.#remainingBytes) throw new ChannelError("BODY_LENGTH_MISMATCH", "it is longer");
      this.#remainingBytes -= length;
    }
    const piece: Piece = typeof part === "string" && length !== part.length ? utf8Bytes(part) : part;
    if (this.#framing === "raw") this.output.piece(piece);
    else {
      this.output.text(encodeChunk(length));
      this.output.piece(piece);
      this.output.text("\r\n");
    }
  }

  #queueFlush(): void {
    if (this.outputSize >= FLUSH_BYTES) this.flush();
    else if (!this.#isFlushQueued) {
      this.#isFlushQueued = true;
      this.#owner.server.flusher.add(this);
    }
  }

  #emptied(): void {
    if (this.#endsWhenEmpty) this.#response.end();
    else this.listener?.onDrain();
  }

  #endBody(): void {
    if (this.#writer!.bufferedAmount === 0) this.#response.end();
    else this.#endsWhenEmpty = true;
  }

  /** The response is complete: all of it is on its way. */
  #answered(): void {
    const isTaken = this.#response.writableFinished || this.#response.writableLength === 0;
    this.#body?.fail(new ChannelError("ALREADY_ANSWERED"));
    this.#body?.drop();
    if (isTaken && !this.#endsWhenEmpty) this.#leave();
    else {
      this.#release();
      this.#moveTo("ending");
      if (this.#writer === undefined) this.#held = new HeldResponse(this.#response, this.#owner.server.budget);
      if (this.index === undefined) this.#owner.opened(this);
      this.#response.once("finish", () => this.#leave()).once("close", () => this.#leave());
    }
    this.#owner.server.onExchangeEnd(this, this.#status!);
  }

  /** A response that waits for an earlier one on its connection is not stalled: its client cannot take it. */
  #isStalled(now: number, writeTimeoutMs: number): boolean {
    if (this.#held?.isStalled(now, writeTimeoutMs) === true) return true;
    return this.#response.socket !== null && this.#writer?.isStalled(now, writeTimeoutMs) === true;
  }

  /** The connection is closed, or other code has ended the response. */
  #closed(): void {
    if (this.#isLive && this.#response.writableFinished) this.#answeredElsewhere();
    else if (this.#isLive) this.#cut(this.#socket.errored ?? undefined);
    else this.#leave();
  }

  /** A route may ask for its request and answer by itself. Where it has opened a channel, the response was the channel's. */
  #answeredElsewhere(): void {
    const { server } = this.#owner;
    if (this.listener instanceof ChannelRequest) {
      this.#leave();
      server.onExchangeEnd(this, this.#response.statusCode);
      return;
    }
    const what = "other code has ended the response: keep the framework from it (Koa: ctx.respond = false)";
    server.report(new ChannelError("ALREADY_ANSWERED", what), { source: "handler" });
    this.#cut(undefined);
  }

  #cut(error: Error | undefined): void {
    this.#leave();
    this.isClientGone = true;
    this.#body?.fail(new ChannelError("CLIENT_GONE", undefined, { cause: error }));
    this.listener?.onGone(error);
    this.#owner.server.onExchangeCut(this, this.#status);
  }

  #maxBodyBytes(): number {
    const { maxBodyBytes, maxBodyBytesOf } = this.#owner.server.http;
    return Math.max(maxBodyBytesOf?.(this.head as RequestHead) ?? 0, maxBodyBytes);
  }

  #refuseBody(): Promise<never> {
    const error = new ChannelError("BODY_TOO_LARGE");
    this.#refuse(error);
    return Promise.reject(error);
  }

  /** Answers with this error instead of the application, and reads no more. */
  #refuse(error: ChannelError): void {
    if (!this.#isLive) return;
    const isAnswered = this.#state === "awaiting" && !this.#response.headersSent;
    this.isClientGone = true;
    this.#body?.fail(error);
    if (isAnswered) {
      const fields = [...TEXT_PLAIN, ...withoutContentFields(this.refusalFields), "Connection", "close"];
      this.respond({ status: error.status!, fields }, `${error.message}\n`);
    }
    this.listener?.onGone(error);
    if (isAnswered) return;
    this.#leave();
    this.#response.destroy();
    this.#owner.server.onExchangeCut(this, this.#status);
  }

  /** Updates the budget. False if this client has to make room: it was refused then. */
  #countReceived(): boolean {
    const { received } = this.#owner.server;
    if (this.#memory!.count(this.#request.readableLength, received)) return true;
    this.#refuse(new ChannelError("RECEIVE_OVERFLOW"));
    return false;
  }

  #sendProbe(): boolean {
    if (this.#state !== "awaiting" || this.#response.headersSent) return false;
    if (!this.isClientGone && !this.isReadingPaused) return false;
    if (this.#request.complete) this.#response.writeProcessing();
    else this.#response.writeContinue();
    return true;
  }

  /** Lets go of what only a live exchange has. */
  #release(): void {
    this.#memory?.release(this.#owner.server.received);
    this.#probe?.stop();
    this.#silence?.stop();
    if (this.#owner.allowsHalfOpen) this.#socket.off("end", this.#onHalfClose);
  }

  #leave(): void {
    if (this.#state === "over") return;
    this.#moveTo("over");
    this.#release();
    this.#writer?.release();
    this.#held?.release();
    if (this.index !== undefined) this.#owner.closed(this);
  }

  #moveTo(state: ExchangeState): void {
    this.#state = moveExchange(this.#state, state);
  }
}
