// An Exchange of a host that reads the requests and writes the responses by itself: a Fetch server, or uWebSockets.js. It has
// what all of them share: states, limits and counted bytes. A subclass speaks with its host.
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
import { type ExchangeState, moveExchange } from "../../transport/exchange-state.ts";
import { TEXT_PLAIN } from "../../transport/http/transport.ts";
import { Inactivity } from "../../transport/input/inactivity.ts";
import { ReceivedMemory } from "../../transport/input/received-memory.ts";
import type { Flushable } from "../../transport/io/flusher.ts";
import { FLUSH_BYTES } from "../../transport/limits.ts";
import type { Transport } from "../../transport/transport.ts";
import { checkHead } from "../check-head.ts";
import type { HostWebSocket } from "./transport.ts";

const NO_FIELDS: readonly string[] = [];
/** The host has no extension that we have agreed on: it negotiates by itself. */
const OF_EXTENSIONS: ReadonlySet<string> = new Set(["sec-websocket-extensions"]);

/** The body of a response that goes on. */
export interface HostBody {
  /** Bytes that the host has not taken. */
  readonly bufferedAmount: number;
  readonly pinnedBytes: number;
  write(output: Piece | readonly Piece[]): void;
  /** Ends the body behind what waits. */
  end(): void;
  /** Breaks the body off. */
  fail(error: Error): void;
  /** Called about twice a second. True if the host has taken nothing for so long. */
  isStalled(now: number, writeTimeoutMs: number): boolean;
  /** Nothing is written any more. */
  release(): void;
}

/** How a body tells its exchange what has become of it. */
export interface HostBodyOwner {
  /** Nothing is unsent any more, or the body has ended. */
  emptied(): void;
  /** The host wants no more: the client has left. */
  cancelled(): void;
}

export interface HostExchangeOwner {
  readonly server: ExchangeServer;
  /** The exchange lasts: it is ticked until `closed`. */
  opened(exchange: HostExchange): void;
  closed(exchange: HostExchange): void;
  /** Makes the transport of a WebSocket that the host is about to open. */
  toWebSocket(exchange: HostExchange, options: WebSocketOptions): HostWebSocket;
}

export abstract class HostExchange extends OutputSource implements Exchange, Connection, Flushable, HostBodyOwner {
  index: number | undefined = undefined;
  readonly httpVersion = "1.1";
  readonly head: Exchange["head"];
  listener: ExchangeListener | undefined;
  pageFields: readonly string[] | undefined;
  refusalFields: readonly string[] = NO_FIELDS;
  isClientGone = false;
  readonly bytesReceived = 0;
  readonly bytesSent = 0;
  abstract readonly isEncrypted: boolean;
  abstract readonly remoteAddress: string | undefined;
  abstract readonly hasBody: boolean;
  readonly #owner: HostExchangeOwner;
  #state: ExchangeState = "awaiting";
  #status: number | undefined;
  #body: HostBody | undefined;
  #isEventStream = false;
  #hasWritten = false;
  #isFlushQueued = false;
  #remainingBytes: number | undefined;
  /** Rejects a read of the request's body that waits. */
  #failRead: ((error: ChannelError) => void) | undefined;
  #bodyBytes = 0;
  #memory: ReceivedMemory | undefined;
  #inactivity: Inactivity | undefined;

  constructor(owner: HostExchangeOwner, head: Exchange["head"]) {
    super();
    this.#owner = owner;
    this.head = head;
  }

  /** Reads the next part of the request's body; undefined at its end. */
  protected abstract readPart(): Promise<Uint8Array | undefined>;
  /** Nobody reads the rest of the request's body. */
  protected abstract discardBody(): void;
  /** Sends a whole response. `content` is null where it has no body; `length` is that of the body of a GET, where it is known. */
  protected abstract sendWhole(response: ResponseHead, content: Uint8Array | null, length: string | undefined): void;
  /** Begins a response, and returns its body. */
  protected abstract startBody(response: ResponseHead, length: string | undefined): HostBody;
  /** Drops the connection of a request that has no response. */
  protected abstract dropUnanswered(): void;
  /** The client has left before its response began. */
  protected abstract clientLeft(): void;
  /** Switches to a WebSocket, with these fields in the 101. Throws BAD_HANDSHAKE. */
  protected abstract upgrade(fields: readonly string[], transport: HostWebSocket): void;

  get scheme(): "http" | "https" {
    return this.isEncrypted ? "https" : "http";
  }

  /** RFC 9112 §3.2: the origin of a page is compared with the host. */
  get hasHost(): boolean {
    return isAuthority(this.head.host);
  }

  get webSocketRequest(): WebSocketRequestKind | undefined {
    const upgrade = fieldValue(this.head.fields, "upgrade");
    return upgrade !== undefined && hasListMember(upgrade, "websocket") ? "upgrade" : undefined;
  }

  get isAnswered(): boolean {
    return this.#state !== "awaiting";
  }

  get bufferedAmount(): number {
    return this.#state === "streaming" ? this.outputSize + this.#body!.bufferedAmount : 0;
  }

  get pinnedBytes(): number {
    return this.#state === "streaming" ? this.#body!.pinnedBytes : 0;
  }

  get #isLive(): boolean {
    return this.#state === "awaiting" || this.#state === "streaming";
  }

  async readBody(): Promise<Uint8Array | undefined> {
    if (!this.hasBody) return undefined;
    if (!this.#isLive) throw new ChannelError(this.isClientGone ? "CLIENT_GONE" : "ALREADY_ANSWERED");
    const max = this.#maxBodyBytes();
    if (Number(fieldValue(this.head.fields, "content-length") ?? 0) > max) throw this.#refuseBody();
    const failed = new Promise<never>((_, reject) => {
      this.#failRead = reject;
    });
    let part: Uint8Array | undefined;
    try {
      part = await Promise.race([this.readPart(), failed]);
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
    const bytes = body === null ? null : typeof body === "string" ? utf8Bytes(body) : body;
    const { head, hasBody, length } = this.#toHead(response, bytes === null ? 0 : bytes.length);
    this.#status = head.status;
    this.sendWhole(head, hasBody && bytes !== null && bytes.length > 0 ? bytes : null, length);
    this.#answered();
  }

  start(response: ResponseHead, length?: number): boolean {
    if (this.#state !== "awaiting") return false;
    const { head, hasBody, length: known } = this.#toHead(response, length);
    this.#status = head.status;
    if (!hasBody) {
      this.sendWhole(head, null, known);
      this.#answered();
      return false;
    }
    this.#remainingBytes = length;
    this.#isEventStream = fieldValue(head.fields, "content-type") === "text/event-stream";
    this.#moveTo("streaming");
    this.lasts();
    this.#body = this.startBody(head, known);
    return true;
  }

  write(part: string | Uint8Array, encoded?: EncodedBody): void {
    if (this.#state !== "streaming" || part.length === 0) return;
    const length = typeof part === "string" ? utf8Length(part) : part.length;
    if (this.#remainingBytes !== undefined) {
      if (length > this.#remainingBytes) throw new ChannelError("BODY_LENGTH_MISMATCH", "it is longer");
      this.#remainingBytes -= length;
    }
    if (encoded !== undefined) this.output.shared(encoded.bare);
    else this.output.piece(typeof part === "string" && length !== part.length ? utf8Bytes(part) : part);
    this.#queueFlush();
  }

  end(): void {
    if (this.#state !== "streaming") return;
    if (this.#remainingBytes !== undefined && this.#remainingBytes > 0) {
      throw new ChannelError("BODY_LENGTH_MISMATCH", `${this.#remainingBytes} bytes are missing`);
    }
    this.flush();
    this.#answered();
    this.#body!.end();
  }

  flush(): void {
    this.#isFlushQueued = false;
    if (this.#state !== "streaming") return;
    const output = this.takeOutput();
    if (output !== undefined) this.#write(output);
    // Bun and uWebSockets.js send a head with the first byte of its body: a browser would not see that it is connected.
    else if (this.#isEventStream && !this.#hasWritten) this.#write(encodeComment());
  }

  abort(): void {
    if (!this.#isLive) return;
    this.flush();
    this.#fail();
    this.#cut(undefined);
  }

  /** The host tells by itself that a client has left. */
  probe(): void {}

  endWhenSilent(): void {}

  acceptWebSocket(fields: readonly string[], options: WebSocketOptions): Transport {
    checkHead({ status: 101, fields });
    const transport = this.#owner.toWebSocket(this, options);
    try {
      this.upgrade(withoutNames(fields, OF_EXTENSIONS), transport);
    } catch (error) {
      transport.socketClosed({ by: "network", code: 1006, reason: "" });
      throw error;
    }
    this.#status = 101;
    this.#leave();
    this.#owner.server.onExchangeEnd(this, 101);
    return transport;
  }

  /** Follows the client of an exchange that is not answered in the turn of its request. */
  lasts(): void {
    if (this.#isLive && this.index === undefined) this.#owner.opened(this);
  }

  tick(now: number): boolean {
    const { timeouts, limits } = this.#owner.server;
    if (this.#body?.isStalled(now, limits.writeTimeoutMs) === true) {
      this.#fail();
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
      this.#body?.fail(new ChannelError("CONNECTION_CLOSED"));
      this.#leave();
    }
  }

  emptied(): void {
    if (this.#state === "ending") this.#leave();
    else if (this.outputSize === 0) this.listener?.onDrain();
  }

  /** The host says that the client has left. */
  cancelled(): void {
    if (this.#state === "over") return;
    this.#body?.release();
    if (this.#isLive) this.#cut(undefined);
    else this.#leave();
  }

  /** The client had left before there was an exchange. */
  protected begunWithoutClient(): void {
    this.isClientGone = true;
    this.#moveTo("over");
  }

  #write(output: Piece | readonly Piece[]): void {
    this.#hasWritten = true;
    this.#body!.write(output);
    if (this.#body!.bufferedAmount === 0) this.listener?.onDrain();
  }

  /** The head without the fields that the host writes itself; `length`: its Content-Length, where it has one. */
  #toHead(
    { status, fields: own }: ResponseHead,
    bytes: number | undefined,
  ): { head: ResponseHead; hasBody: boolean; length: string | undefined } {
    const isHead = this.head.method === "HEAD";
    const all = this.pageFields === undefined ? own : withPageFields(own, this.pageFields);
    checkHead({ status, fields: all });
    const { fields = all, close, length } = readOwnFields(all);
    const hasBody = statusHasBody(status) && !isHead;
    const known = bytes === undefined ? undefined : String(bytes);
    const ofNoBody = status === 304 ? length : isHead && statusHasBody(status) ? (length ?? known) : undefined;
    const head = { status, fields: close ? [...fields, "Connection", "close"] : fields };
    return { head, hasBody, length: hasBody ? known : ofNoBody };
  }

  #queueFlush(): void {
    if (this.outputSize >= FLUSH_BYTES) this.flush();
    else if (!this.#isFlushQueued) {
      this.#isFlushQueued = true;
      this.#owner.server.flusher.add(this);
    }
  }

  #fail(): void {
    if (this.#body !== undefined) this.#body.fail(new ChannelError("CONNECTION_CLOSED"));
    else this.dropUnanswered();
  }

  /** The response is complete. */
  #answered(): void {
    this.#failRead?.(new ChannelError("ALREADY_ANSWERED"));
    if (this.#body === undefined) this.#leave();
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
    if (this.#status === undefined) this.clientLeft();
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
    } else this.#fail();
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
    this.discardBody();
    if (this.index !== undefined) this.#owner.closed(this);
  }

  #moveTo(state: ExchangeState): void {
    this.#state = moveExchange(this.#state, state);
  }
}
