// Requests on a connection, in both directions (PROTOCOL.md, "Requests"). They travel in the order of the messages, and are
// kept and acknowledged as those are. A part of the page only where `requests` is imported: the rest of the client knows this
// class as a `ClientSession`, of which it replaces what requests need.

import { isAbortOf } from "../base/abort.ts";
import { badValue } from "../base/bad-option.ts";
import { ChannelError, type ErrorCode } from "../base/channel-error.ts";
import { guardHandler } from "../base/guard.ts";
import type { HandledRequest } from "../base/handled-request.ts";
import { checkOptionNames } from "../base/option-names.ts";
import { RequestError } from "../base/request-error.ts";
import {
  decodeRequest,
  encodeFailure,
  encodeRequest,
  type RequestContent,
  type RequestFailure,
} from "../codec/request-record.ts";
import type { OpenRecord } from "../codec/session-record.ts";
import {
  AskedRequests,
  checkRequestOptions,
  MAX_REQUESTS,
  MOST_REQUESTS,
  type RequestOptions,
} from "../protocol/asked-requests.ts";
import { ClientSession, type KeptRecord } from "./client-session.ts";
import type { Connection, ConnectOptions, Message, Requests, Sendable } from "./connection.ts";
import type { Conversation } from "./conversation.ts";
import { MAX_BUFFERED_BYTES } from "./limits.ts";
import { fromMessage, toMessage } from "./messages.ts";

/** The options of `requests`. */
export interface RequestsOptions {
  /** The most requests of the server that may be without a reply. An integer from 1 to 1,000,000. @default 100 */
  readonly maxRequests?: number | undefined;
}

/** A connection with requests: `connect(url, { requests: requests() })`. */
export interface RequestConnection<In = Message, Out = Sendable> extends Connection<In, Out> {
  /**
   * Sends a request, now or when there is a connection, in order with the messages. Resolves with the reply of the server's
   * `request` handler, which is called once. Rejects with a ChannelError: REQUEST_FAILED, REQUEST_REFUSED (a `RequestError`),
   * REQUEST_UNHANDLED, REPLY_TIMEOUT, REQUEST_LOST, BAD_MESSAGE (what the codec of either end refuses), and without having sent
   * anything TOO_MANY_REQUESTS, REQUESTS_UNSUPPORTED, BUFFER_OVERFLOW, CONNECTION_CLOSED, BAD_DATA and BAD_OPTION; or with the
   * reason of its signal. A request that was not sent when a session is lost goes out in the next one.
   */
  request(data: Out, options?: RequestOptions): Promise<In>;
  /**
   * Sets the handler of the server's requests; a second one throws HANDLER_EXISTS. Its result, or that of its promise, is the reply;
   * undefined is an empty text. Handlers of several requests may run at the same time, and messages do not wait for them. An exception
   * goes to `onError`, and the server learns REQUEST_FAILED; a `RequestError` goes to the server alone.
   * Returns a function that removes the handler.
   */
  onRequest(fn: (data: In, request: HandledRequest) => Out | PromiseLike<Out> | undefined): () => void;
}

type Handler = Parameters<RequestConnection<unknown, unknown>["onRequest"]>[0];

/**
 * The option `requests` of `connect`: the connection can ask and answer then. May be used for several connections. Throws
 * BAD_OPTION.
 */
export function requests(options: RequestsOptions = {}): Requests {
  checkOptionNames("requests", options, ["maxRequests"]);
  const { maxRequests = MAX_REQUESTS } = options;
  if (!(Number.isInteger(maxRequests) && maxRequests >= 1 && maxRequests <= MOST_REQUESTS)) {
    throw badValue("maxRequests", maxRequests, "an integer from 1 to 1,000,000");
  }
  return {
    Session: class extends RequestSession {
      constructor(conversation: () => Conversation) {
        super(maxRequests, conversation);
      }
    },
  };
}

class RequestSession extends ClientSession {
  override readonly query: Readonly<Record<string, string>>;
  readonly #maxAnswered: number;
  override readonly verbs: Pick<RequestConnection<unknown, unknown>, "request" | "onRequest">;
  readonly #of: () => Conversation;
  readonly #asked: AskedRequests;
  /** The number of the last own request. */
  #last = 0;
  /** The most requests that the server takes at once: 0 if it takes none. It is known from the first `open` on. */
  #maxAsked = MAX_REQUESTS;
  /** The server's requests whose handlers run. */
  readonly #answering = new Map<number, AbortController>();
  #handler: Handler | undefined;

  /** `conversation`: returns the conversation, which is complete when this constructor has returned. */
  constructor(maxRequests: number, conversation: () => Conversation) {
    super();
    this.#maxAnswered = maxRequests;
    this.#of = conversation;
    this.query = { requests: `${maxRequests}` };
    this.#asked = new AskedRequests({
      after: (ms, fn) => this.#of().after(ms, fn),
      cancel: (id) => {
        if (!this.#of().events.ending) this.#write(encodeRequest("cancel", id));
      },
    });
    this.verbs = {
      // Async: what is wrong with a request rejects its promise.
      request: async (value, options = {}) => fromMessage(this.#of().codec, await this.#ask(value, options)),
      onRequest: (fn) => this.#setHandler(fn),
    };
    queueMicrotask(() => {
      this.#of().events.listening.onClose(() => this.#end());
    });
  }

  /** The reply to a request may come behind messages for which a loop is not ready: they do not hold it up. */
  override get ackNumber(): number {
    return this.#asked.size > 0 ? Math.min(this.received, this.shared) : super.ackNumber;
  }

  override continueAt(number: number, open?: OpenRecord): void {
    super.continueAt(number);
    if (open === undefined) return;
    this.#maxAsked = Number.isSafeInteger(open.requests) ? open.requests! : 0;
    if (this.#maxAsked === 0) this.#asked.fail("REQUESTS_UNSUPPORTED", "the server is of an earlier version");
  }

  /** Takes the records of requests; the caller acknowledges them, and takes all others. */
  override receiveNext(record: Parameters<ClientSession["receiveNext"]>[0]): boolean {
    if (!super.receiveNext(record)) return false;
    if (typeof record === "string" || record.type !== "request") return true;
    const { losses, selector, events } = this.#of();
    if (losses < 2) selector.prove();
    if (!events.ending) this.#take(decodeRequest(record.data));
    return false;
  }

  /** `first` is given when another session begins: requests that were never sent go on in it, and all others are lost. */
  override renew(
    acknowledged: number,
    received: number,
    isWanted: (record: KeptRecord) => boolean,
    first?: readonly KeptRecord[],
  ): void {
    if (first === undefined) {
      super.renew(acknowledged, received, isWanted);
      return;
    }
    const kept = new Set<number>();
    const goesOn = (record: KeptRecord): boolean => {
      if (record.type !== "request") return true;
      const { verb, id } = decodeRequest(record.data);
      if (verb === "ask" && this.#maxAsked > 0) kept.add(id);
      return kept.has(id) && (verb === "ask" || verb === "cancel");
    };
    super.renew(acknowledged, received, (record) => isWanted(record) && goesOn(record), first);
    this.#asked.fail("REQUEST_LOST", "the session is lost", (id) => !kept.has(id));
    this.#abort(new ChannelError("REQUEST_LOST", "the session is lost"));
  }

  #ask(value: unknown, options: RequestOptions): Promise<Message> {
    checkRequestOptions(options);
    const { codec, events, endpoint } = this.#of();
    const { maxBufferedBytes = MAX_BUFFERED_BYTES } = endpoint.options as ConnectOptions;
    if (options.signal?.aborted) throw options.signal.reason;
    const data = toMessage(codec, value);
    if (events.ending) throw new ChannelError("CONNECTION_CLOSED");
    if (this.#maxAsked === 0) throw new ChannelError("REQUESTS_UNSUPPORTED");
    if (this.#asked.size >= this.#maxAsked) throw new ChannelError("TOO_MANY_REQUESTS", `${this.#maxAsked} wait`);
    if (this.bufferedAmount >= maxBufferedBytes) throw new ChannelError("BUFFER_OVERFLOW");
    this.#last += 1;
    const reply = this.#asked.add(this.#last, options);
    this.#write(encodeRequest("ask", this.#last, data));
    if (this.holders > 0) this.#of().selector.current?.acknowledge();
    return reply;
  }

  #take({ verb, id, data }: RequestContent): void {
    if (verb === "ask") this.#answer(id, data);
    else if (verb === "cancel") this.#answering.get(id)?.abort(new ChannelError("REQUEST_CANCELLED"));
    else this.#asked.settle({ verb, id, data });
  }

  #answer(id: number, data: Message): void {
    const handler = this.#handler;
    if (handler === undefined || this.#answering.size >= this.#maxAnswered) {
      this.#refuse(id, handler === undefined ? "REQUEST_UNHANDLED" : "TOO_MANY_REQUESTS");
      return;
    }
    const { codec, events } = this.#of();
    let value: unknown;
    try {
      value = fromMessage(codec, data);
    } catch (error) {
      events.error.tell(error);
      this.#refuse(id, "BAD_MESSAGE");
      return;
    }
    const aborter = new AbortController();
    this.#answering.set(id, aborter);
    const finish = (encode: () => string): void => {
      // Another session, or the end, has taken the request out of the list.
      const isWanted = this.#answering.get(id) === aborter && !aborter.signal.aborted;
      if (this.#answering.get(id) === aborter) this.#answering.delete(id);
      let content: string;
      try {
        content = encode();
      } catch (error) {
        if (!isAbortOf(aborter.signal, error)) events.error.tell(error);
        content = encodeFailure(id, { code: "REQUEST_FAILED" });
      }
      if (isWanted) this.#write(content);
    };
    guardHandler(
      () => handler(value, { signal: aborter.signal }),
      undefined,
      (_, result) =>
        finish(() => encodeRequest("reply", id, result === undefined && !codec ? "" : toMessage(codec, result))),
      (_, error) => finish(() => encodeFailure(id, failureOf(error))),
    );
  }

  #refuse(id: number, code: ErrorCode): void {
    this.#write(encodeFailure(id, { code }));
  }

  #setHandler(fn: Handler): () => void {
    if (typeof fn !== "function") throw badValue("the argument of onRequest", fn, "a function");
    if (this.#handler) throw new ChannelError("HANDLER_EXISTS");
    this.#handler = fn;
    return () => {
      if (this.#handler === fn) this.#handler = undefined;
    };
  }

  #write(data: string): void {
    this.send({ type: "request", data });
    this.#of().selector.current?.flush();
  }

  #end(): void {
    this.#asked.fail("REQUEST_LOST", "the connection is closed");
    this.#abort(new ChannelError("CONNECTION_CLOSED"));
  }

  #abort(reason: ChannelError): void {
    const running = [...this.#answering.values()];
    this.#answering.clear();
    for (const aborter of running) aborter.abort(reason);
  }
}

/** Returns what the other end may know of an exception. Throws one that it must not know: the caller reports it. */
function failureOf(error: unknown): RequestFailure {
  if (!(error instanceof RequestError)) throw error;
  const { reason, data } = error;
  return { code: "REQUEST_REFUSED", reason, data };
}
