// The exchange of a request and a response of node:http2. When the route asks for the request, we take over its stream, and
// both objects see its events.

import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Session } from "node:http2";
import { fieldsBeside } from "../../codec/field-list.ts";
import { addressOf } from "../../server/address.ts";
import type { OpenConnection } from "../../server/exchange-source.ts";
import { type AdoptedRequest, adoptStream } from "../../transport/http2/adopt-stream.ts";
import type { CompatibilityApi } from "../../transport/http2/compatibility-api.ts";
import type { Http2Exchange } from "../../transport/http2/exchange.ts";
import type { Http2Stream, Http2StreamOwner } from "../../transport/http2/stream.ts";
import type { BufferBudget } from "../../transport/io/buffer-budget.ts";
import type { HostRefusal } from "../refusal.ts";
import { mayBeAnsweredElsewhere, reportAnsweredElsewhere } from "./answered-elsewhere.ts";
import type { NodeExchangeOwner } from "./exchange-owner.ts";
import type { AttachedExchange } from "./host-server.ts";
import { countLost } from "./lost-bytes.ts";
import { refusalOf } from "./refusal.ts";
import { usedBody } from "./request-body.ts";

/** Fields that follow from the body of the response: those that middleware has set for another body are dropped. */
const OF_FRAMING = ["Content-Length", ""];

/** The status codes that the response of node:http2 can hold. */
const MAX_STATUS = 599;

/** The host of an exchange. */
type NodeHttp2Owner = Pick<NodeExchangeOwner, "server" | "opened" | "closed">;

export interface Http2Messages {
  readonly request: Http2ServerRequest;
  readonly response: Http2ServerResponse;
  /** The body, if a parser of the application has read it. */
  readonly body: Uint8Array | undefined;
}

export class NodeHttp2Exchange implements AttachedExchange, OpenConnection, Http2StreamOwner, CompatibilityApi {
  index: number | undefined = undefined;
  readonly remoteAddress: string | undefined;
  readonly isEncrypted: boolean;
  readonly buffered: BufferBudget;
  readonly writeTimeoutMs: number;
  readonly exchange: Http2Exchange;
  readonly refusal: HostRefusal | undefined;
  readonly #owner: NodeHttp2Owner;
  readonly #request: Http2ServerRequest;
  readonly #response: Http2ServerResponse;
  readonly #stream: Http2Stream;
  /** Undefined for a stream that was closed before. */
  readonly #session: ServerHttp2Session | undefined;

  constructor(owner: NodeHttp2Owner, { request, response, body }: Http2Messages) {
    this.#owner = owner;
    this.#request = request;
    this.#response = response;
    const { server } = owner;
    this.buffered = server.buffered;
    this.writeTimeoutMs = server.limits.writeTimeoutMs;
    const session = request.stream.session as ServerHttp2Session | undefined;
    this.#session = session;
    // A session that is over has no socket.
    this.remoteAddress = session === undefined || session.destroyed ? undefined : addressOf(session.socket);
    this.isEncrypted = session?.encrypted === true;
    const adopted = adoptStream(
      {
        stream: request.stream as unknown as AdoptedRequest["stream"],
        rawHeaders: request.rawHeaders,
        compatibilityApi: this,
        body,
      },
      server,
      this,
    );
    this.#stream = adopted.stream;
    this.exchange = adopted.exchange;
    this.refusal = adopted.error === undefined ? undefined : refusalOf(adopted.error);
  }

  /** The bytes are the host's: a connection carries other requests, too. */
  get bytesReceived(): number {
    return 0;
  }

  get bytesSent(): number {
    return 0;
  }

  followClient(): void {
    if (!this.#stream.server.destroyed) this.#owner.opened(this);
  }

  tick(now: number): boolean {
    // A WebSocket has the stream. HTTP/1.1 takes it from the response; here what others write and end is the client's.
    if (this.#stream.listener !== this.exchange && this.#stream.wasEndedByOthers) {
      reportAnsweredElsewhere(this.#owner.server);
      this.#stream.destroy();
      return true;
    }
    return this.#stream.tick(now);
  }

  makeRoom(): void {
    this.#stream.makeRoom();
  }

  /** Drops the open stream. */
  drop(): void {
    this.#stream.destroy();
  }

  streamClosed({ lostBytes }: Http2Stream): void {
    if (this.#session !== undefined) countLost(this.#session, lostBytes);
    if (this.index !== undefined) this.#owner.closed(this);
  }

  presetFields(): readonly string[] {
    const fields: string[] = [];
    for (const [name, value] of Object.entries(this.#response.getHeaders())) {
      // The headers have a `:status` once other code has begun the response.
      if (name.startsWith(":")) continue;
      if (Array.isArray(value)) for (const one of value) fields.push(name, one);
      else if (value !== undefined) fields.push(name, String(value));
    }
    return fieldsBeside(fields, OF_FRAMING);
  }

  claimBody(): void {
    if (this.#request.readableDidRead || this.#request.readableEnded) throw usedBody();
  }

  /** Middleware that logs reads it when the response is over. */
  responseBegins(status: number): void {
    if (status <= MAX_STATUS) this.#response.statusCode = status;
  }

  /** A route may ask for its request and answer by itself. Where it has opened a channel, the response was the channel's. */
  responseEnded(): number | undefined {
    return mayBeAnsweredElsewhere(this.exchange, this.#owner.server) ? this.#response.statusCode : undefined;
  }
}
