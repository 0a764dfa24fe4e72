// Plain HTTP as a transport: a response that is whole (long polling) or grows (streaming).
// The same class carries Server-Sent Events: only the format of messages differs (`format.ts`, `sse.ts`).

import { joinFields, withoutContentFields } from "../../codec/field-list.ts";
import { fieldValue } from "../../codec/field-values.ts";
import { statusHasBody } from "../../codec/http1-response.ts";
import { type EncodedBody, EncodedMessage } from "../../protocol/encoded-message.ts";
import { bodyMessage, type OutboundMessage } from "../../protocol/outbound-message.ts";
import { type CloseStatus, clientLeft, closeStatus, connectionFailed } from "../close-status.ts";
import { type CompressOptions, toCompressSettings } from "../compression/deflate.ts";
import { GzipResponse } from "../compression/gzip.ts";
import type { Exchange, ExchangeListener, ResponseWriter } from "../exchange.ts";
import type { Heartbeat, MessageForm, Position, Transport, TransportKind, TransportListener } from "../transport.ts";
import { type HttpFormat, PLAIN } from "./format.ts";

/** The close status of nearly every response. */
const ANSWERED: CloseStatus = Object.freeze(closeStatus("server", 1000));
/** A message without content, for the head of a response before its first message. */
const NO_MESSAGE: OutboundMessage = { status: undefined, fields: [], body: null, event: undefined, length: undefined };

interface HttpTransportOptions {
  /** The response is a body that the handler returned, which goes on to a client that has half-closed. @default false */
  readonly outlivesFin?: boolean;
  /** The option `compress` of the channel. @default false */
  readonly compress?: boolean | CompressOptions | undefined;
}

export class HttpTransport implements Transport, ExchangeListener {
  readonly #exchange: Exchange;
  /** The exchange, or the GzipResponse that compresses for it. */
  readonly #response: ResponseWriter;
  /** Fields that the head gets beside those of the first message. */
  readonly #fields: readonly string[];
  /** The previous listener of the exchange, which still receives its events. */
  readonly #previousListener: ExchangeListener | undefined;
  #format: HttpFormat;
  #listener: TransportListener | undefined;
  #isStarted = false;
  #isSettled = false;
  #isHalfClosed: boolean;
  readonly #outlivesFin: boolean;
  #end: CloseStatus | undefined;
  /** Something was written since the last tick. */
  #hasWritten = false;
  #wroteAt = 0;

  constructor(exchange: Exchange, format: HttpFormat, fields: readonly string[], options?: HttpTransportOptions) {
    this.#exchange = exchange;
    this.#response = toWriter(exchange, options?.compress);
    this.#format = format;
    this.#fields = fields;
    this.#outlivesFin = options?.outlivesFin === true;
    this.#isHalfClosed = exchange.isClientGone;
    if (exchange.isClientGone && exchange.isAnswered) this.#end = clientLeft();
    this.#previousListener = exchange.listener;
    exchange.listener = this;
    if (!this.#isHalfClosed || this.#end !== undefined) return;
    if (this.#outlivesFin) exchange.endWhenSilent();
    else exchange.probe();
  }

  get kind(): TransportKind {
    return this.#format.kind;
  }

  get messageForm(): MessageForm {
    return this.#format.messageForm;
  }

  get bufferedAmount(): number {
    return this.#exchange.bufferedAmount;
  }

  get pinnedBytes(): number {
    return this.#exchange.pinnedBytes ?? 0;
  }

  listen(listener: TransportListener): void {
    this.#listener = listener;
    if (this.#end !== undefined) listener.transportClosed(this.#end);
  }

  open(): void {}

  /**
   * A silent event stream gets its head here: a browser fires `open` only when it has one, and proxies end a connection
   * that has none for a minute (nginx: `proxy_read_timeout`). Comments follow by `heartbeat`.
   */
  setupDone(): void {
    this.#isSettled = true;
    if (this.#isHalfClosed && !this.#outlivesFin && this.#end === undefined) this.#leave();
    if (!this.#format.startsSilent || this.#isStarted || this.#end !== undefined) return;
    if (this.#start(NO_MESSAGE, undefined)) this.#exchange.flush();
  }

  closesByDefault(message: OutboundMessage): boolean {
    return this.#formatOf(message).endsAfterSend;
  }

  // Code that may throw (a forbidden header) runs before any state changes: the channel stays usable.
  send(message: OutboundMessage): void {
    const format = this.#formatOf(message);
    const encoded = encodedBody(message, format);
    const body = encoded === undefined ? format.encode(message) : encoded.data;
    if (this.#isStarted || this.#start(message, undefined)) this.#write(body, encoded);
  }

  sendLast(message: OutboundMessage): void {
    if (this.#isStarted) {
      this.send(message);
      this.close(1000, "");
    } else this.#respond(message, ANSWERED);
  }

  #respond(message: OutboundMessage, end: CloseStatus): void {
    const format = this.#formatOf(message);
    const encoded = encodedBody(message, format);
    const body = encoded === undefined ? format.encode(message) : encoded.data;
    // A channel with fields of its own cannot share the encoded response.
    const whole = this.#fields.length === 0 ? encoded : undefined;
    const head = whole?.head ?? format.head(this.#withFields(message), "whole");
    if (whole !== undefined) whole.head = head;
    this.#response.respond(head, body, whole);
    this.#ended(end);
  }

  begin(message: OutboundMessage, position: Position): void {
    if (this.#isStarted) return;
    // The parts are the whole body only if nothing follows them, and if they go out as they are.
    const isWhole = position === "last" && this.#formatOf(message) === PLAIN;
    this.#start(message, isWhole ? message.length : undefined);
  }

  part(data: string | Uint8Array): void {
    this.#write(this.#format.encodePart(data));
  }

  refuse(answer: OutboundMessage, end: CloseStatus = ANSWERED): boolean {
    if (this.#isStarted || this.#end !== undefined) return false;
    this.#respond(answer, end);
    return true;
  }

  fail(code: number, reason: string): void {
    if (this.#end !== undefined) return;
    this.#ended(closeStatus("server", code, reason));
    // No final chunk: RFC 9112 §8 lets the client see that the message is incomplete.
    this.#exchange.abort();
  }

  close(code: number, reason: string): void {
    if (this.#end !== undefined) return;
    // The channel's own fields belong to this answer as well: without its CORS fields no page of another origin could
    // tell it from a failure.
    if (!this.#isStarted) this.#response.respond({ status: 204, fields: withoutContentFields(this.#fields) }, null);
    else this.#response.end();
    this.#ended(closeStatus("server", code, reason));
  }

  /** Plain HTTP counts in seconds (RFC 9110 §10.2.3); a response that has begun just ends. */
  goodbye(comeBackMs: number): void {
    if (this.messageForm === "event") this.sendLast({ ...NO_MESSAGE, event: { retry: comeBackMs } });
    else if (this.#isStarted) this.close(1000, "");
    else {
      const fields = ["Retry-After", String(Math.ceil(comeBackMs / 1000))];
      this.sendLast({ ...bodyMessage("Service Unavailable\n"), status: 503, fields });
    }
  }

  terminate(): void {
    this.fail(1006, "");
  }

  flush(): void {
    this.#exchange.flush();
  }

  tick(now: number, { pingIntervalMs }: Heartbeat): void {
    const { heartbeat } = this.#format;
    if (this.#exchange.isReadingPaused === true && this.#end === undefined) this.#findEnd();
    if (this.#hasWritten) {
      this.#hasWritten = false;
      this.#wroteAt = now;
    } else if (heartbeat !== undefined && this.#isStarted && pingIntervalMs > 0) {
      if (now - this.#wroteAt >= pingIntervalMs) this.#write(heartbeat);
    }
  }

  onDrain(): void {
    this.#listener?.bufferEmptied();
  }

  /**
   * A FIN says that the client sends no more, not that it has left (RFC 9112 §9.6); but a client that has left looks the
   * same, and its parked poll would stay open for ever (docs/decisions/0005). So a FIN after the setup, or after the beginning
   * of the response, means that the client has left, unless the handler returned the body (`outlivesFin`). While the setup
   * runs and nothing was sent, the exchange finds out which of the two it is.
   */
  onHalfClose(): void {
    this.#isHalfClosed = true;
    this.#previousListener?.onHalfClose();
    if (this.#end !== undefined) return;
    // A silent source would never learn that its client has left.
    if (this.#outlivesFin) this.#exchange.endWhenSilent();
    else if (this.#isSettled || this.#isStarted) this.#leave();
    else this.#exchange.probe();
  }

  onGone(error: Error | undefined): void {
    this.#previousListener?.onGone(error);
    this.#ended(error === undefined || isReset(error) ? clientLeft() : connectionFailed(error.message));
  }

  /**
   * The FIN of a client that has left may stand behind unread bytes. Its system answers further bytes with a reset, and the
   * write after that fails. In the body of a plain response every byte has a meaning, so there is nothing to send.
   */
  #findEnd(): void {
    const { heartbeat } = this.#format;
    if (!this.#isStarted) this.#exchange.probe();
    else if (heartbeat !== undefined && this.#exchange.bufferedAmount === 0) this.#write(heartbeat);
  }

  #leave(): void {
    this.#ended(clientLeft());
    this.#exchange.abort();
  }

  #start(message: OutboundMessage, length: number | undefined): boolean {
    const format = this.#formatOf(message);
    const hasBody = this.#response.start(format.head(this.#withFields(message), "stream"), length);
    this.#format = format;
    this.#isStarted = true;
    this.#hasWritten = true;
    if (!hasBody) this.#ended(ANSWERED);
    return hasBody;
  }

  #withFields(message: OutboundMessage): OutboundMessage {
    if (this.#fields.length === 0) return message;
    const own = describesItself(message) ? withoutContentFields(this.#fields) : this.#fields;
    return { ...message, fields: joinFields(own, message.fields) };
  }

  #write(data: string | Uint8Array | null, encoded?: EncodedBody): void {
    this.#hasWritten = true;
    if (data !== null && data.length > 0 && this.#end === undefined) this.#response.write(data, encoded);
  }

  /** An event stream has status 200 (WHATWG HTML §9.2.3); an answer with another one is an ordinary response. */
  #formatOf(message: OutboundMessage): HttpFormat {
    if (this.#isStarted || this.#format === PLAIN) return this.#format;
    return (message.status ?? 200) === 200 ? this.#format : PLAIN;
  }

  #ended(status: CloseStatus): void {
    if (this.#end !== undefined) return;
    this.#end = status;
    this.#listener?.transportClosed(status);
  }
}

function toWriter(exchange: Exchange, compress: boolean | CompressOptions = false): ResponseWriter {
  if (compress === false) return exchange;
  return new GzipResponse(exchange, toCompressSettings(compress, { contextTakeover: true }));
}

/** True for an answer that does not have the channel's own content fields: one without content, or the text of an error. */
function describesItself({ status = 200, fields }: OutboundMessage): boolean {
  return !statusHasBody(status) || (status >= 400 && fieldValue(fields, "content-type") !== undefined);
}

/** The encoded body of a message that is sent to many; undefined if it has none, or is sent to one. */
function encodedBody(message: OutboundMessage, format: HttpFormat): EncodedBody | undefined {
  return message instanceof EncodedMessage ? format.shared(message) : undefined;
}

/** A client that leaves with unread data in its socket resets instead of ending; both are leaving. */
function isReset(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return code === "ECONNRESET" || code === "EPIPE";
}
