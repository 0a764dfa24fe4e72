// The Exchange of our own engine: one request on one HTTP/1.1 connection. Once its response has ended every call on it does
// nothing, so a forgotten reference can never answer another request.

import { ChannelError } from "../../base/errors.ts";
import { withCorsFields, withoutContentFields } from "../../codec/field-list.ts";
import { joinedValues } from "../../codec/field-values.ts";
import type { RequestHead } from "../../codec/http1-request.ts";
import type { ResponseHead } from "../../codec/http1-response.ts";
import { hasListMember } from "../../codec/http1-syntax.ts";
import type { WebSocketRequestKind } from "../../codec/ws-handshake.ts";
import type { EncodedBody } from "../../protocol/encoded-message.ts";
import type { Http1Connection } from "../../protocol/http1.ts";
import type { Exchange, ExchangeListener, SwitchedStream, WebSocketOptions } from "../exchange.ts";
import type { ByteStream } from "../io/byte-stream.ts";
import type { Transport } from "../transport.ts";
import { type WebSocketContext, WebSocketTransport } from "../websocket/transport.ts";
import { switchingFields } from "./switching-fields.ts";

const NO_FIELDS: readonly string[] = [];

/** The end of the client's connection: that of the stream, or of the proxy or process that passes the bytes on. */
export type ClientConnection = Pick<ByteStream, "remoteAddress" | "isEncrypted">;

export interface ExchangeOwner {
  readonly stream: ByteStream;
  readonly client: ClientConnection;
  readonly connection: Http1Connection;
  readonly context: WebSocketContext;
  /** True while the connection is not read, because the application does not take the bytes. */
  readonly isReadingPaused: boolean;
  readonly bufferedAmount: number;
  /** True if the exchange's response may still be sent. */
  isCurrent(exchange: Http1Exchange): boolean;
  readBody(): Promise<Uint8Array | undefined>;
  /** The application holds this many bytes of a body. False if there was no room: the request has been refused then. */
  holdsBody(bytes: number): boolean;
  responseEnded(): void;
  queueFlush(): void;
  flush(): void;
  abort(): void;
  probe(): void;
  endWhenSilent(): void;
  sendInterim(): void;
  /** The stream, and the bytes behind the request, belong to another protocol from now on. */
  handOver(): void;
}

export class Http1Exchange implements Exchange {
  readonly head: RequestHead;
  listener: ExchangeListener | undefined;
  corsFields: readonly string[] | undefined;
  refusalFields: readonly string[] = NO_FIELDS;
  isClientGone = false;
  /** The status of the response; undefined until it has begun. */
  status: number | undefined;
  readonly #owner: ExchangeOwner;

  constructor(owner: ExchangeOwner, head: RequestHead) {
    this.#owner = owner;
    this.head = head;
  }

  get httpVersion(): string {
    return this.head.minor === 1 ? "1.1" : "1.0";
  }

  get scheme(): "http" | "https" {
    return this.#owner.client.isEncrypted ? "https" : "http";
  }

  get remoteAddress(): string | undefined {
    return this.#owner.client.remoteAddress;
  }

  get webSocketRequest(): WebSocketRequestKind | undefined {
    // Not `head.upgrade`, which is empty for HTTP/1.0: such a client gets an error.
    const upgrade = joinedValues(this.head.fields, "upgrade");
    return upgrade !== undefined && hasListMember(upgrade, "websocket") ? "upgrade" : undefined;
  }

  get hasBody(): boolean {
    return this.head.chunked || this.head.contentLength > 0;
  }

  get isAnswered(): boolean {
    return !this.#isLive() || this.#owner.connection.isAnswering;
  }

  get bufferedAmount(): number {
    return this.#isLive() ? this.#owner.bufferedAmount : 0;
  }

  get pinnedBytes(): number {
    return this.#isLive() ? (this.#owner.stream.pinnedBytes ?? 0) : 0;
  }

  get isReadingPaused(): boolean {
    return this.#isLive() && this.#owner.isReadingPaused;
  }

  #isLive(): boolean {
    return this.#owner.isCurrent(this);
  }

  readBody(): Promise<Uint8Array | undefined> {
    if (!this.hasBody) return Promise.resolve(undefined);
    if (this.#isLive()) return this.#owner.readBody();
    return Promise.reject(new ChannelError(this.isClientGone ? "CLIENT_GONE" : "ALREADY_ANSWERED"));
  }

  holdsBody(bytes: number): boolean {
    return !this.#isLive() || this.#owner.holdsBody(bytes);
  }

  respond(response: ResponseHead, body: string | Uint8Array | null, encoded?: EncodedBody): void {
    if (!this.#isLive()) return;
    // An encoded response has no fields for pages of other origins.
    if (this.corsFields === undefined) this.#owner.connection.respond(response, body, encoded);
    else this.#owner.connection.respond(this.#forPage(response), body);
    this.status = response.status;
    this.#owner.responseEnded();
  }

  start(response: ResponseHead, length?: number): boolean {
    if (!this.#isLive()) return false;
    const hasBody = this.#owner.connection.start(this.#forPage(response), length);
    this.status = response.status;
    if (hasBody) this.#owner.queueFlush();
    else this.#owner.responseEnded();
    return hasBody;
  }

  write(part: string | Uint8Array, encoded?: EncodedBody): void {
    if (!this.#isLive()) return;
    this.#owner.connection.write(part, encoded);
    this.#owner.queueFlush();
  }

  end(): void {
    if (!this.#isLive()) return;
    this.#owner.connection.end();
    this.#owner.responseEnded();
  }

  flush(): void {
    if (this.#isLive()) this.#owner.flush();
  }

  abort(): void {
    if (this.#isLive()) this.#owner.abort();
  }

  probe(): void {
    // RFC 9110 §15.2: HTTP/1.0 has no interim responses.
    if (this.#isLive() && this.head.minor === 1) this.#owner.probe();
  }

  endWhenSilent(): void {
    if (this.#isLive()) this.#owner.endWhenSilent();
  }

  sendInterim(): void {
    if (this.#isLive() && this.head.minor === 1) this.#owner.sendInterim();
  }

  #forPage(response: ResponseHead): ResponseHead {
    if (this.corsFields === undefined) return response;
    return { status: response.status, fields: withCorsFields(response.fields, this.corsFields) };
  }

  acceptWebSocket(fields: readonly string[], options: WebSocketOptions): Transport {
    const { connection, stream, context } = this.#owner;
    const rest = connection.upgrade([...switchingFields(this.head.fields), ...fields]);
    this.#owner.handOver();
    const transport = new WebSocketTransport(stream, context, options, connection.releaseOutput());
    stream.listener = transport;
    transport.begins(rest);
    return transport;
  }

  acceptBytes(fields: readonly string[]): SwitchedStream {
    const { connection, stream } = this.#owner;
    const rest = connection.upgrade([...switchingFields(this.head.fields), ...fields]);
    this.#owner.flush();
    this.#owner.handOver();
    return { stream, rest };
  }

  /** Fields of the answer by which the connection itself refuses this request, in addition to that answer's own. */
  refusedWith(): readonly string[] {
    const own = withoutContentFields(this.refusalFields);
    return this.corsFields === undefined ? own : withCorsFields(own, this.corsFields);
  }

  /** The connection is gone, or may not be used any more. */
  detach(error: Error | undefined): void {
    this.isClientGone = true;
    this.listener?.onGone(error);
  }
}
