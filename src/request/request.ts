// The request as the handler sees it. Each part is made on first use, so that unused parts cost nothing.

import { isAbortOf } from "../base/abort.ts";
import { utf8 } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { guardSignal } from "../channel/guarded-signal.ts";
import { RequestHeaders } from "../channel/headers.ts";
import { nextId } from "../channel/ids.ts";
import { acceptsType } from "../codec/accept.ts";
import { joinedValues } from "../codec/field-values.ts";
import { originForm } from "../codec/http1-request.ts";
import { utf8OrLatin1 } from "../codec/utf8.ts";
import type { Exchange } from "../transport/exchange.ts";
import type { CheckedUpgrade } from "./checked-upgrade.ts";
import type { Client, ClientFinder } from "./client.ts";
import { RequestBody } from "./request-body.ts";

/** The ChannelRequest of each Fetch request that was made from one, so that `withChannel` can find it. */
const ORIGINALS = new WeakMap<Request, ChannelRequest>();

/** The members of the channel that its request uses. */
interface Answer {
  /** True if the exchange does not see the end of the conversation: that of a WebSocket. */
  readonly outlivesExchange: boolean;
  readonly signal: AbortSignal;
  /** Called when the handler has thrown: sends an error response if nothing was sent, otherwise ends the channel. */
  failed(error: unknown): void;
}

/** The part of its context that a request calls itself. */
interface Owner extends ClientFinder {
  report(error: unknown, context: { readonly source: "signal"; readonly request: ChannelRequest }): void;
}

/**
 * A request, as the handler gets it. `Attachment` is the type of the `attachment` that the server's `upgrade` check returns.
 * Implements ExchangeListener, which is not in its type because those methods are not public.
 */
export class ChannelRequest<out Attachment = unknown> {
  /** @internal */
  readonly exchange: Exchange;
  /** @internal The context of its server; `contextOf` returns it with its whole type. */
  readonly context: Owner;
  /** @internal The channel that was opened for this request. */
  channel: Answer | undefined;
  /** @internal The result of the `upgrade` check, if the server has one. */
  upgrade: CheckedUpgrade | undefined;
  /** @internal True if its page may connect; undefined until `isOriginAllowed` of `access.ts` has found out. */
  isOriginAllowed: boolean | undefined;
  /** @internal True if it was answered before the handler ran: a channel that is opened for it is closed. */
  isRefused = false;
  #id: string | undefined;
  #client: Client | undefined;
  #headers: RequestHeaders | undefined;
  #query: URLSearchParams | undefined;
  #abort: AbortController | undefined;
  #body: RequestBody | undefined;
  #request: Request | undefined;
  #isGone = false;

  /** @internal Requests are made by the server. */
  constructor(exchange: Exchange, context: Owner) {
    this.exchange = exchange;
    this.context = context;
    exchange.listener = this;
  }

  /**
   * A name for logs, made on first use: no other request or channel of this process has it, nor, in all likelihood, of
   * another process. It can be guessed, so it is not a secret.
   */
  get id(): string {
    this.#id ??= nextId();
    return this.#id;
  }

  /** The `attachment` that the server's `upgrade` check returned; undefined without one, and for all but WebSockets. */
  get attachment(): Attachment | undefined {
    return this.upgrade?.attachment as Attachment | undefined;
  }

  /** The method as it was sent: "GET". Of a WebSocket over HTTP/2, whose method is CONNECT, it is GET, too. */
  get method(): string {
    return this.exchange.head.method;
  }

  /** The request target as it was sent, with its query: usually `/path?query`. */
  get url(): string {
    return this.exchange.head.target;
  }

  /** The path of the target, not decoded. */
  get path(): string {
    const target = originForm(this.url);
    const end = target.indexOf("?");
    return end === -1 ? target : target.slice(0, end);
  }

  /** The query of the target. Made on first use. */
  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(/\?(.*)/s.exec(this.url)?.[1]);
    return this.#query;
  }

  /** The header fields. Made on first use. */
  get headers(): RequestHeaders {
    this.#headers ??= new RequestHeaders(this.exchange.head.fields);
    return this.#headers;
  }

  /** "1.0", "1.1" or "2.0". */
  get httpVersion(): string {
    return this.exchange.httpVersion;
  }

  /** The scheme that the client used: the connection's own, or that of a trusted proxy's fields (`trustedProxies`). */
  get scheme(): "http" | "https" {
    return this.#findClient().scheme;
  }

  /**
   * The authority that the client asked for, `example.com:8080`: the `Host` field, or that of a trusted proxy. An empty
   * string where HTTP/1.0 sent none.
   */
  get host(): string {
    return this.#findClient().host;
  }

  /**
   * The client's address: that of the connection's other end, or the one that a trusted proxy names. Undefined on a Unix socket,
   * and where the proxy hides or does not know it.
   */
  get remoteAddress(): string | undefined {
    return this.#findClient().address;
  }

  /** True if the client asks for the WebSocket protocol; its handshake may still be malformed. */
  get isWebSocket(): boolean {
    return this.exchange.webSocketRequest !== undefined;
  }

  /**
   * True if the client asks for `text/event-stream` by name, and not with a weight of zero (RFC 9110 §12.5.1). A range such
   * as `text/*` asks for no event stream: every browser sends one.
   */
  get acceptsEventStream(): boolean {
    const accept = joinedValues(this.exchange.head.fields, "accept");
    return accept !== undefined && acceptsType(accept, "text/event-stream");
  }

  /**
   * The id of the last event that a returning event source has seen, or null. Clients send it as UTF-8 (WHATWG HTML
   * §9.2.4); bytes that are not UTF-8 are read as latin1, which some clients send.
   */
  get lastEventId(): string | null {
    const value = this.headers.get("last-event-id");
    return value === null ? null : utf8OrLatin1(value);
  }

  /** Aborts when the client goes away before its answer is complete; of a WebSocket's request, with its channel. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      this.#guard(this.#abort.signal);
      if (this.#isGone || this.exchange.isClientGone) this.onGone();
      this.#followChannel();
    }
    return this.#abort.signal;
  }

  /** The body as a stream, pulled at the pace of its reader; null if the request has none. */
  get body(): ReadableStream<Uint8Array> | null {
    return this.exchange.hasBody ? this.#ensureBody().stream : null;
  }

  /** The whole body. Rejects with BODY_USED when it was read before, with CLIENT_GONE when it never came whole. */
  async bytes(): Promise<Uint8Array> {
    return this.#ensureBody().bytes(this.#request);
  }

  /** The whole body as UTF-8 text. */
  async text(): Promise<string> {
    return utf8(await this.bytes());
  }

  /** The whole body as JSON. Rejects with BAD_REQUEST if it is not JSON. */
  async json(): Promise<unknown> {
    const text = await this.text();
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new ChannelError("BAD_REQUEST", "the body is not JSON", { cause: error });
    }
  }

  /** The request as a Fetch `Request`, made on first use; it shares this one's body. */
  toRequest(): Request {
    if (this.#request === undefined) {
      this.#request = this.#makeRequest();
      ORIGINALS.set(this.#request, this);
    }
    return this.#request;
  }

  /** @internal The channel answers from now on: a new one, or that of the session to which the request belongs. */
  opened(channel: Answer): void {
    this.channel = channel;
    this.#followChannel();
  }

  /** @internal */
  onDrain(): void {}

  /** @internal Returns true for an exception of a handler that ends because the signal of the request has aborted. */
  isEndedBy(error: unknown): boolean {
    return this.#abort !== undefined && isAbortOf(this.#abort.signal, error);
  }

  /** @internal A client that ended its side may still wait, but nearly always it has left. */
  onHalfClose(): void {
    this.onGone();
  }

  /** @internal */
  onGone(): void {
    this.#isGone = true;
    this.#abort?.abort(new ChannelError("CLIENT_GONE"));
  }

  /**
   * @internal The request of a handler, also by its Fetch form. Throws NOT_OUR_REQUEST for any other, and ALREADY_ANSWERED
   * where there is a channel or a response.
   */
  static unanswered(request: ChannelRequest | Request): ChannelRequest {
    const original = request instanceof ChannelRequest ? request : ORIGINALS.get(request);
    if (original === undefined) {
      throw new ChannelError("NOT_OUR_REQUEST", "pass the request that the handler was given (in Hono: c.req.raw)");
    }
    const { channel, exchange, isRefused } = original;
    if (channel !== undefined)
      throw new ChannelError("ALREADY_ANSWERED", "it has a channel; open one for each request");
    if (exchange.isAnswered && !exchange.isClientGone && !isRefused)
      throw new ChannelError("ALREADY_ANSWERED", "it has a response");
    return original;
  }

  /** Aborts with the channel of a WebSocket, whose end the exchange does not see. Called when the signal and when the channel is made. */
  #followChannel(): void {
    if (this.#abort === undefined || this.channel?.outlivesExchange !== true) return;
    const { signal } = this.channel;
    if (signal.aborted) this.onGone();
    else signal.addEventListener("abort", () => this.onGone(), { once: true });
  }

  #findClient(): Client {
    this.#client ??= this.context.findClient(this.exchange);
    return this.#client;
  }

  #ensureBody(): RequestBody {
    this.#body ??= new RequestBody(this.exchange);
    return this.#body;
  }

  #guard(signal: AbortSignal): void {
    guardSignal(signal, (error) => this.context.report(error, { source: "signal", request: this }));
  }

  #makeRequest(): Request {
    const { scheme, host } = this;
    const path = originForm(this.url);
    // The target is appended, not resolved: `//other.example/` is a path here, not another host.
    const url = `${scheme}://${host === "" ? "localhost" : host}${path.startsWith("/") ? path : "/"}`;
    // RFC 3986 allows hosts that WHATWG's URL refuses (`1.2.3.999`, `a%00b`): such a request has no Fetch form.
    if (!URL.canParse(url)) throw new ChannelError("BAD_REQUEST", "its URL has no Fetch form");
    const init = { method: this.method, headers: [...this.headers], signal: this.signal } as RequestInit;
    const hasBody = this.exchange.hasBody && this.method !== "GET" && this.method !== "HEAD";
    const request = hasBody ? this.#ensureBody().toRequest(url, init) : new Request(url, init);
    // It has a signal of its own, which follows ours.
    this.#guard(request.signal);
    return request;
  }
}
