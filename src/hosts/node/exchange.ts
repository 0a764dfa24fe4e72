// The Exchange over a request and a response of node:http. Node reads the request and writes the heads; the bytes of a
// response that goes on are written here, once a turn, so that they are counted and a client that stops reading is found.
// Long because it handles four objects of Node: the request, the response, the socket and the upgrade.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Piece } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import { authorityOf } from "../../codec/http1-request.ts";
import { encodeChunk, type ResponseHead } from "../../codec/http1-response.ts";
import { hasListMember } from "../../codec/http1-syntax.ts";
import type { WebSocketRequestKind } from "../../codec/ws-handshake.ts";
import type { EncodedBody } from "../../protocol/encoded-message.ts";
import { addressOf } from "../../server/address.ts";
import type { OpenConnection } from "../../server/exchange-source.ts";
import { findReset } from "../../server/socket-write.ts";
import { BoundedExchange, lengthOf, pieceOf } from "../../transport/bounded-exchange.ts";
import type { Exchange, WebSocketOptions } from "../../transport/exchange.ts";
import { GivenBytes } from "../../transport/input/given-bytes.ts";
import type { RequestInput } from "../../transport/input/request-input.ts";
import { MIN_SLICE_BYTES } from "../../transport/io/write-queue.ts";
import type { Transport } from "../../transport/transport.ts";
import type { HostRefusal } from "../refusal.ts";
import { mayBeAnsweredElsewhere } from "./answered-elsewhere.ts";
import { ClientWatch } from "./client-watch.ts";
import type { NodeExchangeOwner, NodeMessages, PendingUpgrade } from "./exchange-owner.ts";
import { HeldResponse } from "./held-response.ts";
import type { AttachedExchange } from "./host-server.ts";
import { refusalOfHead } from "./refusal.ts";
import { NodeRequestBody } from "./request-body.ts";
import { ResponseBody } from "./response-body.ts";
import { fieldsSetForUpgrade, type WrittenHead, withSetFieldsOfUpgrade, writeHead } from "./response-head.ts";

/** A longer response goes out in slices. */
const MAX_WHOLE_BYTES = 2 * MIN_SLICE_BYTES;

export class NodeExchange extends BoundedExchange implements AttachedExchange, OpenConnection {
  index: number | undefined = undefined;
  readonly head: Exchange["head"];
  readonly #owner: NodeExchangeOwner;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #socket: Socket;
  readonly #upgrade: PendingUpgrade | undefined;
  readonly #given: GivenBytes | undefined;
  /** Undefined until the body is read. */
  #body: NodeRequestBody | undefined;
  /** Undefined for a response that was written at once. */
  #responseBody: ResponseBody | undefined;
  /** Undefined unless Node holds a response that was written at once. */
  #held: HeldResponse | undefined;
  /** Undefined while the connection itself reports that the client has left. */
  #watch: ClientWatch | undefined;

  constructor(owner: NodeExchangeOwner, { request, response, body, upgrade }: NodeMessages) {
    super(owner.server);
    this.#owner = owner;
    this.#request = request;
    this.#response = response;
    this.#socket = request.socket;
    this.#given = body === undefined ? undefined : new GivenBytes(body);
    this.#upgrade = upgrade;
    // Express and Connect cut the path of a mounted handler off `url`.
    const target = (request as { originalUrl?: string }).originalUrl ?? request.url!;
    this.head = {
      method: request.method!,
      target,
      fields: request.rawHeaders,
      host: authorityOf(target) ?? request.headers.host ?? "",
      minor: request.httpVersionMinor === 0 ? 0 : 1,
    };
    if (response.destroyed || this.#socket.destroyed) this.begunWithoutClient();
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

  get refusal(): HostRefusal | undefined {
    return refusalOfHead(this.#request.httpVersionMajor, this.head);
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

  override get isAnswered(): boolean {
    return super.isAnswered || this.#response.headersSent;
  }

  get bufferedAmount(): number {
    return this.isStreaming() ? this.outputSize + (this.#responseBody?.bufferedAmount ?? 0) : 0;
  }

  get pinnedBytes(): number {
    return this.isStreaming() ? (this.#responseBody?.pinnedBytes ?? 0) : 0;
  }

  /** Node stops reading the connection while a body is not read, and while many answers wait for earlier ones. */
  get isReadingPaused(): boolean {
    const { readableLength, readableHighWaterMark } = this.#request;
    const isFull = readableLength > 0 && readableLength >= readableHighWaterMark;
    return this.isLive() && (isFull || this.#socket.isPaused());
  }

  unreadBytes(): number {
    return this.#request.readableLength;
  }

  override readBody(): Promise<Uint8Array | undefined> {
    return this.#given === undefined ? super.readBody() : this.#given.take();
  }

  protected declaredBytes(): number {
    return Number(this.#request.headers["content-length"] ?? 0);
  }

  protected pullBody(input: RequestInput): void {
    this.#body ??= new NodeRequestBody(this.#request, input);
    this.#body.pull();
  }

  respond(response: ResponseHead, body: string | Uint8Array | null): void {
    if (!this.isAwaiting()) return;
    const bytes = body === null ? 0 : lengthOf(body);
    const { hasBody, closes } = this.#writeHead(response, bytes);
    const content = hasBody && bytes > 0 ? body : null;
    // Only an upgrade continues to read by itself.
    const endsLate = closes && this.#upgrade === undefined && this.#isUploading();
    if (endsLate || bytes > MAX_WHOLE_BYTES) {
      this.#begin(endsLate);
      if (content !== null) this.#responseBody!.write(pieceOf(content, bytes));
      this.#responseBody!.end();
    } else if (content === null) this.#response.end();
    else this.#response.end(content);
    this.#answered();
  }

  start(response: ResponseHead, length?: number): boolean {
    if (!this.isAwaiting()) return false;
    const { hasBody } = this.#writeHead(response, length);
    if (!hasBody) {
      this.#response.end();
      this.#answered();
      return false;
    }
    // A chunked response has to end for its last chunk.
    this.#begin(false);
    this.bodyBegins(length);
    this.queueFlush();
    return true;
  }

  protected writeOutput(output: Piece | readonly Piece[]): void {
    this.#watch?.wrote();
    this.#responseBody!.write(output);
    if (this.#responseBody!.bufferedAmount === 0) this.listener?.onDrain();
  }

  protected endBody(): void {
    this.#responseBody!.end();
    this.#answered();
  }

  abort(): void {
    if (!this.isLive()) return;
    this.flush();
    // Node writes held output at the end of the turn.
    process.nextTick(() => this.#destroyResponse());
    this.cut(undefined);
  }

  probe(): void {
    // RFC 9110 §15.2: HTTP/1.0 has no interim responses.
    if (this.isAwaiting() && this.head.minor === 1) this.#ensureWatch().probe();
  }

  endWhenSilent(): void {
    if (this.isLive()) this.#ensureWatch().endWhenSilent();
  }

  acceptWebSocket(fields: readonly string[], options: WebSocketOptions): Transport {
    const upgrade = this.#upgrade;
    if (upgrade === undefined) throw new ChannelError("BAD_HANDSHAKE", "another listener has taken this upgrade");
    const own = withSetFieldsOfUpgrade(fields, fieldsSetForUpgrade(this.#response));
    const transport = this.#owner.acceptWebSocket(upgrade, this.#request, own, options);
    this.status = 101;
    this.leave();
    this.#owner.server.onExchangeEnd(this, 101);
    return transport;
  }

  /** Follows the client of an exchange that is not answered in the turn of its request. */
  followClient(): void {
    if (!this.isLive() || this.index !== undefined) return;
    this.#owner.opened(this);
    this.#response.once("close", () => this.#closed());
    // Node ends its side, and so the exchange, unless the server allows half-open connections.
    if (this.#owner.allowsHalfOpen) this.#socket.once("end", this.#onHalfClose);
  }

  tick(now: number): boolean {
    // A response that waits for an earlier one on its connection has no "close" of its own.
    if (this.#socket.destroyed) {
      this.#closed();
      return false;
    }
    const { writeTimeoutMs } = this.#owner.server.limits;
    if ((this.#held ?? this.#responseBody)?.isStalled(now, writeTimeoutMs) === true) {
      this.#socket.destroy(new ChannelError("WRITE_TIMEOUT"));
      return true;
    }
    if (!this.isLive()) return false;
    if (this.isReadingPaused) findReset(this.#socket);
    this.#watch?.tick();
    return this.tickInput(now);
  }

  /** Drops the open connection. */
  drop(): void {
    if (this.isLive()) this.abort();
    else this.#destroyResponse();
  }

  readonly #onHalfClose = (): void => {
    if (!this.isLive()) return;
    this.isClientGone = true;
    this.listener?.onHalfClose();
  };

  #writeHead(head: ResponseHead, length: number | undefined): WrittenHead {
    const { method, minor } = this.head;
    const { corsFields } = this;
    const written = writeHead(this.#response, head, { isHead: method === "HEAD", minor, corsFields, length });
    this.status = head.status;
    return written;
  }

  #begin(endsLate: boolean): void {
    const [request, response, { server }] = [this.#request, this.#response, this.#owner];
    const onEmpty = (): void => this.listener?.onDrain();
    this.#responseBody = new ResponseBody({ request, response, server, endsLate, onEmpty });
    this.followClient();
  }

  protected override appendShared(encoded: EncodedBody): void {
    this.output.shared(this.#responseBody!.isChunked ? encoded.chunk : encoded.bare);
  }

  protected override appendPart(piece: Piece, length: number): void {
    if (!this.#responseBody!.isChunked) {
      this.output.piece(piece);
      return;
    }
    this.output.text(encodeChunk(length));
    this.output.piece(piece);
    this.output.text("\r\n");
  }

  #ensureWatch(): ClientWatch {
    const messages = { request: this.#request, response: this.#response };
    this.#watch ??= new ClientWatch(this, messages, this.#owner.server.clock);
    return this.#watch;
  }

  #isUploading(): boolean {
    return this.#given === undefined && this.hasBody && !this.#request.complete;
  }

  /** The response is complete: all of it is on its way. */
  #answered(): void {
    const isTaken = this.#response.writableFinished || this.#response.writableLength === 0;
    this.#body?.drop();
    if (isTaken && this.#responseBody?.isTaken !== false) {
      this.responseEnded("over");
      return;
    }
    if (this.#responseBody === undefined) this.#held = new HeldResponse(this.#response, this.#owner.server.buffered);
    if (this.index === undefined) this.#owner.opened(this);
    this.#response.once("finish", () => this.leave()).once("close", () => this.leave());
    this.responseEnded("ending");
  }

  /** The connection is closed, or other code has ended the response. */
  #closed(): void {
    if (!this.isLive()) this.leave();
    else if (this.#response.writableFinished && mayBeAnsweredElsewhere(this, this.#owner.server)) {
      this.status = this.#response.statusCode;
      this.responseEnded("over");
    } else this.cut(this.#socket.errored ?? undefined);
  }

  protected dropResponse(): void {
    this.#destroyResponse();
  }

  /** The socket first: Bun's `destroy` of a response without a head sends a 200 before it ends the connection (1.4.5). */
  #destroyResponse(): void {
    this.#response.socket?.destroy();
    this.#response.destroy();
  }

  protected override release(): void {
    super.release();
    this.#watch?.stop();
    if (this.#owner.allowsHalfOpen) this.#socket.off("end", this.#onHalfClose);
  }

  protected override onOver(): void {
    this.#responseBody?.release();
    this.#held?.release();
    if (this.index !== undefined) this.#owner.closed(this);
  }
}
