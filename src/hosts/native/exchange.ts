// The base class of the exchanges of hosts that read requests and write responses by themselves: Fetch servers and uWebSockets.js. It
// has their states, limits and counted bytes. Each host has a subclass.

import { type Piece, utf8Bytes } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import { withCorsFields, withoutNames } from "../../codec/field-list.ts";
import { fieldValue } from "../../codec/field-values.ts";
import { type ResponseHead, statusHasBody } from "../../codec/http1-response.ts";
import { hasListMember, isAuthority } from "../../codec/http1-syntax.ts";
import { encodeComment } from "../../codec/sse.ts";
import type { WebSocketRequestKind } from "../../codec/ws-handshake.ts";
import { readFramingFields } from "../../protocol/framing-headers.ts";
import type { ExchangeServer } from "../../server/exchange-server.ts";
import type { OpenConnection } from "../../server/exchange-source.ts";
import { BoundedExchange } from "../../transport/bounded-exchange.ts";
import type { Exchange, WebSocketOptions } from "../../transport/exchange.ts";
import type { RequestInput } from "../../transport/input/request-input.ts";
import type { Transport } from "../../transport/transport.ts";
import { checkHead } from "../check-head.ts";
import type { HostWebSocket } from "./transport.ts";

/** Removed from our answer: the host negotiates extensions by itself. */
const OF_EXTENSIONS: ReadonlySet<string> = new Set(["sec-websocket-extensions"]);

/** The body of a streamed response. */
export interface HostBody {
  /** Bytes that the host has not taken. */
  readonly bufferedAmount: number;
  readonly pinnedBytes: number;
  write(output: Piece | readonly Piece[]): void;
  /** Ends the body after the waiting bytes. */
  end(): void;
  /** Breaks the body off. */
  fail(error: Error): void;
  /** Called about twice a second. True if the host has taken nothing for so long. */
  isStalled(now: number, writeTimeoutMs: number): boolean;
  /** Nothing is written any more. */
  release(): void;
}

/** The events of a body, which its exchange receives. */
export interface HostBodyOwner {
  /** All bytes are sent, or the body has ended. */
  emptied(): void;
  /** The host wants no more: the client has left. */
  cancelled(): void;
}

export interface HostExchangeOwner {
  readonly server: ExchangeServer;
  /** The exchange is not answered in the turn of its request: it is ticked until `closed`. */
  opened(exchange: HostExchange): void;
  closed(exchange: HostExchange): void;
  /** Makes the transport of a WebSocket that the host is about to open. */
  toWebSocket(exchange: HostExchange, options: WebSocketOptions): HostWebSocket;
}

export abstract class HostExchange extends BoundedExchange implements OpenConnection, HostBodyOwner {
  index: number | undefined = undefined;
  readonly httpVersion = "1.1";
  readonly head: Exchange["head"];
  readonly bytesReceived = 0;
  readonly bytesSent = 0;
  abstract readonly isEncrypted: boolean;
  readonly #owner: HostExchangeOwner;
  #body: HostBody | undefined;
  #isEventStream = false;
  #hasWritten = false;

  constructor(owner: HostExchangeOwner, head: Exchange["head"]) {
    super(owner.server);
    this.#owner = owner;
    this.head = head;
  }

  /** Reads the next part of the request's body; undefined at its end. */
  protected abstract readPart(): Promise<Uint8Array | undefined>;
  /** The rest of the request's body is not read: it is dropped. */
  protected abstract discardBody(): void;
  /** Sends a whole response. `content` is null if it has no body; `length` is that of the body that a GET would get, if it is known. */
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

  get bufferedAmount(): number {
    return this.isStreaming() ? this.outputSize + this.#body!.bufferedAmount : 0;
  }

  get pinnedBytes(): number {
    return this.isStreaming() ? this.#body!.pinnedBytes : 0;
  }

  /** The host has them. */
  unreadBytes(): number {
    return 0;
  }

  protected declaredBytes(): number {
    return Number(fieldValue(this.head.fields, "content-length") ?? 0);
  }

  protected pullBody(input: RequestInput): void {
    this.readPart().then(
      (part) => input.arrived(part),
      (error) => input.fail(error),
    );
  }

  respond(response: ResponseHead, body: string | Uint8Array | null): void {
    if (!this.isAwaiting()) return;
    const bytes = body === null ? null : typeof body === "string" ? utf8Bytes(body) : body;
    const { head, hasBody, length } = this.#toHead(response, bytes === null ? 0 : bytes.length);
    this.status = head.status;
    this.sendWhole(head, hasBody && bytes !== null && bytes.length > 0 ? bytes : null, length);
    this.#answered();
  }

  start(response: ResponseHead, length?: number): boolean {
    if (!this.isAwaiting()) return false;
    const { head, hasBody, length: known } = this.#toHead(response, length);
    this.status = head.status;
    if (!hasBody) {
      this.sendWhole(head, null, known);
      this.#answered();
      return false;
    }
    this.#isEventStream = fieldValue(head.fields, "content-type") === "text/event-stream";
    this.bodyBegins(length);
    this.followClient();
    this.#body = this.startBody(head, known);
    return true;
  }

  override flush(): void {
    super.flush();
    // Bun and uWebSockets.js send a head with the first byte of its body: a browser would not see that it is connected.
    if (this.#isEventStream && !this.#hasWritten && this.isStreaming()) this.writeOutput(encodeComment());
  }

  protected writeOutput(output: Piece | readonly Piece[]): void {
    this.#hasWritten = true;
    this.#body!.write(output);
    if (this.#body!.bufferedAmount === 0) this.listener?.onDrain();
  }

  protected endBody(): void {
    this.#answered();
    this.#body!.end();
  }

  abort(): void {
    if (!this.isLive()) return;
    this.flush();
    this.dropResponse();
    this.cut(undefined);
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
    this.status = 101;
    this.leave();
    this.#owner.server.onExchangeEnd(this, 101);
    return transport;
  }

  /** Follows the client of an exchange that is not answered in the turn of its request. */
  followClient(): void {
    if (this.isLive() && this.index === undefined) this.#owner.opened(this);
  }

  tick(now: number): boolean {
    if (this.#body?.isStalled(now, this.#owner.server.limits.writeTimeoutMs) !== true) return this.tickInput(now);
    this.dropResponse();
    if (this.isLive()) this.cut(new ChannelError("WRITE_TIMEOUT"));
    else this.leave();
    return true;
  }

  /** Drops what is open. */
  drop(): void {
    if (this.isLive()) this.abort();
    else {
      this.#body?.fail(new ChannelError("CONNECTION_CLOSED"));
      this.leave();
    }
  }

  emptied(): void {
    if (!this.isLive()) this.leave();
    else if (this.outputSize === 0) this.listener?.onDrain();
  }

  /** The host reports that the client has left. */
  cancelled(): void {
    if (this.isOver()) return;
    this.#body?.release();
    if (this.isLive()) this.cut(undefined);
    else this.leave();
  }

  /** The head without the fields that the host writes itself; `length`: its Content-Length, if it has one. */
  #toHead(
    { status, fields: own }: ResponseHead,
    bytes: number | undefined,
  ): { head: ResponseHead; hasBody: boolean; length: string | undefined } {
    const isHead = this.head.method === "HEAD";
    const all = this.corsFields === undefined ? own : withCorsFields(own, this.corsFields);
    checkHead({ status, fields: all });
    const { fields = all, close, length } = readFramingFields(all);
    const hasBody = statusHasBody(status) && !isHead;
    const known = bytes === undefined ? undefined : String(bytes);
    const ofNoBody = status === 304 ? length : isHead && statusHasBody(status) ? (length ?? known) : undefined;
    const head = { status, fields: close ? [...fields, "Connection", "close"] : fields };
    return { head, hasBody, length: hasBody ? known : ofNoBody };
  }

  protected dropResponse(): void {
    if (this.#body !== undefined) this.#body.fail(new ChannelError("CONNECTION_CLOSED"));
    else this.dropUnanswered();
  }

  #answered(): void {
    this.responseEnded(this.#body === undefined ? "over" : "ending");
  }

  protected override cut(error: Error | undefined): void {
    super.cut(error);
    if (this.status === undefined) this.clientLeft();
  }

  protected override onOver(): void {
    this.discardBody();
    if (this.index !== undefined) this.#owner.closed(this);
  }
}
