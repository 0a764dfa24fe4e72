// The Exchange over a Fetch `Request`, whose answer is a Fetch `Response`. A body that goes on is a stream that the server pulls.

import { ChannelError } from "../../base/errors.ts";
import type { ResponseHead } from "../../codec/http1-response.ts";
import type { Exchange } from "../../transport/exchange.ts";
import { type HostBody, HostExchange, type HostExchangeOwner } from "../native/exchange.ts";
import type { HostWebSocket } from "../native/transport.ts";
import { ResponseStream } from "./response-stream.ts";
import type { ServerSide } from "./server-side.ts";

/** The answer of an exchange; undefined where the server needs none, because it has switched to a WebSocket. */
type Answer = Response | undefined;

export class FetchExchange extends HostExchange {
  readonly #owner: HostExchangeOwner;
  readonly #request: Request;
  readonly #side: ServerSide;
  #answer: { readonly response: Answer } | undefined;
  #onAnswer: ((answer: Answer) => void) | undefined;
  /** Set while the client's leaving is watched. */
  #onAbort: (() => void) | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(owner: HostExchangeOwner, request: Request, side: ServerSide) {
    super(owner, toHead(request));
    this.#owner = owner;
    this.#request = request;
    this.#side = side;
  }

  get isEncrypted(): boolean {
    return this.#request.url.startsWith("https:");
  }

  get remoteAddress(): string | undefined {
    return this.#side.addressOf(this.#request);
  }

  get hasBody(): boolean {
    return this.#request.body !== null;
  }

  /** The answer: a response at once where there is one already. */
  toAnswer(): Answer | Promise<Answer> {
    if (this.#answer !== undefined) return this.#answer.response;
    this.#watch();
    return new Promise((resolve) => {
      this.#onAnswer = resolve;
    });
  }

  protected async readPart(): Promise<Uint8Array | undefined> {
    if (this.#reader === undefined) {
      if (this.#request.bodyUsed || this.#request.body!.locked) {
        throw new ChannelError("BODY_USED", "other code has read the body: pass the request on unread");
      }
      this.#reader = this.#request.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    }
    try {
      return (await this.#reader.read()).value;
    } catch (error) {
      throw new ChannelError("CLIENT_GONE", "the request body is incomplete", { cause: error });
    }
  }

  protected discardBody(): void {
    if (this.#reader !== undefined) void this.#reader.cancel().catch(() => {});
  }

  protected sendWhole(head: ResponseHead, content: Uint8Array | null, length: string | undefined): void {
    // Bytes, not text: Bun would add a content type.
    this.#setAnswer(new Response(content as Uint8Array<ArrayBuffer> | null, toInit(head, length)));
  }

  protected startBody(head: ResponseHead, length: string | undefined): HostBody {
    const body = new ResponseStream(this, this.#owner.server.buffered);
    this.#watch();
    this.#setAnswer(new Response(body.stream, toInit(head, length)));
    return body;
  }

  /** A body that fails: the server drops the connection then. */
  protected dropUnanswered(): void {
    const error = new ChannelError("CONNECTION_CLOSED");
    this.#setAnswer(new Response(new ReadableStream({ pull: (controller) => controller.error(error) })));
  }

  /** The server waits for a response that no client will see. */
  protected clientLeft(): void {
    if (this.#answer === undefined) this.#setAnswer(new Response(null, { status: 503 }));
  }

  protected upgrade(fields: readonly string[], transport: HostWebSocket): void {
    if (this.#side.upgrade === undefined) {
      throw new ChannelError(
        "BAD_HANDSHAKE",
        "this server has no WebSockets, or its second argument was not passed on",
      );
    }
    // Deno aborts it inside its upgrade, Bun with the end of the WebSocket.
    const wasWatched = this.#unwatch();
    let response: Answer;
    try {
      response = this.#side.upgrade(this.#request, fields, transport);
    } catch (error) {
      if (wasWatched) this.#watch();
      throw error;
    }
    this.#setAnswer(response);
  }

  /**
   * Learns when the client leaves. Not for a request that is answered within its turn: the signal, which the server makes when it is
   * first asked for, costs Deno more than the rest of such a request.
   */
  #watch(): void {
    const { signal } = this.#request;
    if (this.#onAbort !== undefined) return;
    if (signal.aborted) return this.cancelled();
    this.#onAbort = () => this.cancelled();
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** True if the signal was watched. */
  #unwatch(): boolean {
    if (this.#onAbort === undefined) return false;
    this.#request.signal.removeEventListener("abort", this.#onAbort);
    this.#onAbort = undefined;
    return true;
  }

  #setAnswer(response: Answer): void {
    this.#answer = { response };
    this.#onAnswer?.(response);
  }
}

function toHead({ url, method, headers }: Request): Exchange["head"] {
  const fields: string[] = [];
  headers.forEach((value, name) => void fields.push(name, value));
  const afterScheme = url.indexOf("://") + 3;
  const path = url.indexOf("/", afterScheme);
  const target = path === -1 ? "/" : url.slice(path);
  // A request of HTTP/2 has no Host field.
  const host = headers.get("host") ?? url.slice(afterScheme, path === -1 ? undefined : path);
  return { method, target, fields, host, minor: 1 };
}

function toInit({ status, fields }: ResponseHead, length: string | undefined): ResponseInit {
  const headers = new Headers();
  for (let i = 0; i < fields.length; i += 2) headers.append(fields[i]!, fields[i + 1]!);
  if (length !== undefined) headers.set("content-length", length);
  return { status, headers };
}
