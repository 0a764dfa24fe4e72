// The Exchange of our own engine: one request on one HTTP/1.1 connection. It holds no state but its place: once its
// response has ended every call on it does nothing, so a forgotten reference can never answer somebody else's request.

import { ChannelError } from "../../base/errors.ts";
import { withoutContentFields, withPageFields } from "../../codec/field-list.ts";
import type { RequestHead } from "../../codec/http1-request.ts";
import type { ResponseHead } from "../../codec/http1-response.ts";
import type { EncodedBody } from "../../protocol/encoded-message.ts";
import type { Exchange, ExchangeListener, WebSocketOptions } from "../exchange.ts";
import type { TextTransport } from "../transport.ts";
import { WebSocketTransport } from "../websocket/transport.ts";
import type { Http1Driver } from "./driver.ts";

const NO_FIELDS: readonly string[] = [];

export class Http1Exchange implements Exchange {
  readonly head: RequestHead;
  listener: ExchangeListener | undefined;
  pageFields: readonly string[] | undefined;
  refusalFields: readonly string[] = NO_FIELDS;
  isClientGone = false;
  /** The status of its response; 0: none has begun. */
  status = 0;
  readonly #driver: Http1Driver;

  constructor(driver: Http1Driver, head: RequestHead) {
    this.#driver = driver;
    this.head = head;
  }

  get httpVersion(): string {
    return this.head.minor === 1 ? "1.1" : "1.0";
  }

  get scheme(): "http" | "https" {
    return this.#driver.stream.isEncrypted ? "https" : "http";
  }

  get remoteAddress(): string | undefined {
    return this.#driver.stream.remoteAddress;
  }

  get hasBody(): boolean {
    return this.head.chunked || this.head.contentLength > 0;
  }

  get isAnswered(): boolean {
    return !this.#isLive || this.#driver.connection.isAnswering;
  }

  get bufferedAmount(): number {
    return this.#isLive ? this.#driver.bufferedAmount : 0;
  }

  get pinnedBytes(): number {
    return this.#isLive ? (this.#driver.stream.pinnedBytes ?? 0) : 0;
  }

  get isReadingPaused(): boolean {
    return this.#isLive && this.#driver.isPaused;
  }

  get #isLive(): boolean {
    return this.#driver.isCurrent(this);
  }

  readBody(): Promise<Uint8Array | undefined> {
    if (!this.hasBody) return Promise.resolve(undefined);
    if (this.#isLive) return this.#driver.readBody();
    return Promise.reject(new ChannelError(this.isClientGone ? "CLIENT_GONE" : "ALREADY_ANSWERED"));
  }

  holdsBody(bytes: number): boolean {
    return !this.#isLive || this.#driver.holdsBody(bytes);
  }

  respond(response: ResponseHead, body: string | Uint8Array | null, encoded?: EncodedBody): void {
    if (!this.#isLive) return;
    // The encoded response has no such fields.
    if (this.pageFields === undefined) this.#driver.connection.respond(response, body, encoded);
    else this.#driver.connection.respond(this.#forPage(response), body);
    this.status = response.status;
    this.#driver.responseEnded();
  }

  start(response: ResponseHead, length?: number): boolean {
    if (!this.#isLive) return false;
    const hasBody = this.#driver.connection.start(this.#forPage(response), length);
    this.status = response.status;
    if (hasBody) this.#driver.queueFlush();
    else this.#driver.responseEnded();
    return hasBody;
  }

  write(part: string | Uint8Array, encoded?: EncodedBody): void {
    if (!this.#isLive) return;
    this.#driver.connection.write(part, encoded);
    this.#driver.queueFlush();
  }

  end(): void {
    if (!this.#isLive) return;
    this.#driver.connection.end();
    this.#driver.responseEnded();
  }

  flush(): void {
    if (this.#isLive) this.#driver.flush();
  }

  abort(): void {
    if (this.#isLive) this.#driver.abort();
  }

  probe(): void {
    // RFC 9110 §15.2: HTTP/1.0 has no interim responses.
    if (this.#isLive && this.head.minor === 1) this.#driver.probe();
  }

  endWhenSilent(): void {
    if (this.#isLive) this.#driver.endWhenSilent();
  }

  #forPage(response: ResponseHead): ResponseHead {
    if (this.pageFields === undefined) return response;
    return { status: response.status, fields: withPageFields(response.fields, this.pageFields) };
  }

  acceptWebSocket(fields: readonly string[], options: WebSocketOptions): TextTransport {
    const { connection, stream, context } = this.#driver;
    const rest = connection.upgrade(fields);
    this.#driver.handOver();
    const transport = new WebSocketTransport(stream, context, options, connection.releaseOutput());
    stream.listener = transport;
    transport.begins(rest);
    return transport;
  }

  /** The fields of the answer by which the connection itself refuses this request, beside its own. */
  refusedWith(): readonly string[] {
    const own = withoutContentFields(this.refusalFields);
    return this.pageFields === undefined ? own : withPageFields(own, this.pageFields);
  }

  /** The connection is gone, or may not be used any more. */
  detach(error: Error | undefined): void {
    this.isClientGone = true;
    this.listener?.onGone(error);
  }
}
