// The requests of one channel, in both directions: promises for those of the application, and the handler for those of the
// client. Made with the first of them. PROTOCOL.md, "Requests".

import type { Clock } from "../base/clock.ts";
import { ChannelError, type ErrorCode } from "../base/errors.ts";
import type { Reporter } from "../base/guard.ts";
import type { HandledRequest } from "../base/handled-request.ts";
import { RequestError } from "../base/request-error.ts";
import { encodeFailure, encodeRequest, type RequestContent, type RequestFailure } from "../codec/request-record.ts";
import { AskedRequests, type RequestOptions } from "../protocol/asked-requests.ts";
import { OutboundRequest } from "../protocol/outbound-request.ts";
import type { IncomingRequest, SessionRequests } from "../transport/requests.ts";
import type { ErrorSource } from "./context.ts";
import { HandledIncoming } from "./handled-request.ts";
import { type SendData, toJson, toSendable } from "./send-data.ts";
import { discardSource } from "./source.ts";

/** The part of a channel's callbacks that is used. */
interface RequestCallbacks extends Reporter<ErrorSource> {
  answer(data: Message, request: HandledRequest, answering: Answering): boolean;
}

/** Receives the result of a request handler, or its exception. Neither function may throw. */
export interface Answering {
  done(result: unknown): void;
  fail(error: unknown): void;
}

/** Text or bytes. */
type Message = string | Uint8Array;

export interface RequestsOwner {
  readonly isOpen: boolean;
  readonly callbacks: RequestCallbacks;
  /**
   * Sends in order with the messages. False if the channel is closed or full, or not open any more.
   *
   * @param room whether a full channel may refuse it
   */
  sendRequest(message: OutboundRequest, room: "needed" | "any"): boolean;
}

/** The end of a handler's call. */
type Outcome = "returned" | "failed" | "unhandled";

const MOVED = "the session moves to another process";

/** The data of a request that the codec has refused. */
export class UndecodedRequest extends Error {}

export class ChannelRequests {
  readonly #support: SessionRequests;
  readonly #owner: RequestsOwner;
  readonly #asked: AskedRequests;
  /** The client's requests whose handlers run. */
  readonly #running = new Set<IncomingRequest>();

  constructor(support: SessionRequests, clock: Clock, owner: RequestsOwner) {
    this.#support = support;
    this.#owner = owner;
    this.#asked = new AskedRequests({
      after(ms, fn) {
        const timer = clock.setTimer(fn, ms);
        return () => clock.clearTimer(timer);
      },
      cancel: (id) => void owner.sendRequest(new OutboundRequest(encodeRequest("cancel", id)), "any"),
    });
  }

  get awaitsReply(): boolean {
    return this.#asked.size > 0;
  }

  /** True if no handler runs. */
  get isIdle(): boolean {
    return this.#running.size === 0;
  }

  /** `options` are checked. Throws what `Channel.request` rejects with. */
  ask(data: Message, options: RequestOptions): Promise<Message> {
    if (options.signal?.aborted === true) throw options.signal.reason;
    const { maxAsked, isLeaving } = this.#support;
    if (isLeaving) throw lostByMove();
    if (maxAsked === 0) throw new ChannelError("REQUESTS_UNSUPPORTED", "the client takes none");
    if (this.#asked.size >= maxAsked) throw new ChannelError("TOO_MANY_REQUESTS", `${maxAsked} wait`);
    const id = this.#support.nextId();
    // Before it is sent: the reply may come at once.
    const reply = this.#asked.add(id, options);
    if (this.#owner.sendRequest(new OutboundRequest(encodeRequest("ask", id, data)), "needed")) return reply;
    this.#asked.fail("BUFFER_OVERFLOW", "the request was not sent", (other) => other === id);
    return reply;
  }

  /** A `reply` or `error` has arrived. */
  settle(content: RequestContent): void {
    this.#asked.settle(content);
  }

  /** Calls the handler. */
  answer(request: IncomingRequest): void {
    // The client does not wait for it any more, and the handler has not begun.
    if (request.isCancelled) {
      this.#support.answered(request.id);
      return;
    }
    this.#running.add(request);
    const { callbacks } = this.#owner;
    const isTaken = callbacks.answer(request.data, new HandledIncoming(request, callbacks), new Answer(this, request));
    if (!isTaken) this.finish(request, "unhandled");
  }

  /** Returns the requests whose handlers run, to be handled elsewhere. What these handlers return is dropped. */
  takeRunning(): readonly IncomingRequest[] {
    const running = [...this.#running];
    this.#running.clear();
    return running;
  }

  /** Nothing can be sent any more. */
  end(reason: ChannelError): void {
    this.#asked.fail("REQUEST_LOST", "the session has ended");
    for (const request of this.#running) request.cancel(reason);
  }

  /** The session is about to go on in another process, where nobody waits for these replies. Those who wait here must not hold it up. */
  leaves(): void {
    this.#asked.fail("REQUEST_LOST", MOVED);
  }

  /** Sends the reply, or an error in its place. `value`: what the handler has returned or thrown. */
  finish(request: IncomingRequest, outcome: Outcome, value?: unknown): void {
    // The request is handled elsewhere.
    if (!this.#running.delete(request)) return;
    this.#support.answered(request.id);
    let content: string;
    try {
      content = this.#contentOf(request, outcome, value);
    } catch (error) {
      if (!request.isEndedBy(error)) this.#owner.callbacks.report(error, "request");
      content = encodeFailure(request.id, { code: "REQUEST_FAILED" });
    }
    if (request.isCancelled || !this.#owner.isOpen) return;
    if (this.#owner.sendRequest(new OutboundRequest(content), "needed")) return;
    // A full channel that drops messages: the client must not wait for ever.
    const failure = encodeFailure(request.id, { code: "REQUEST_FAILED" });
    this.#owner.sendRequest(new OutboundRequest(failure), "any");
  }

  #contentOf(request: IncomingRequest, outcome: Outcome, value: unknown): string {
    if (outcome === "returned") return encodeRequest("reply", request.id, bodyOf(value));
    if (outcome === "unhandled") return encodeFailure(request.id, { code: "REQUEST_UNHANDLED" });
    return this.#failureOf(request, value);
  }

  /** The content that tells the client. Throws an exception of which the client must know nothing: the caller reports it. */
  #failureOf({ id }: IncomingRequest, error: unknown): string {
    if (error instanceof UndecodedRequest) {
      this.#owner.callbacks.report(error.cause, "request");
      return encodeFailure(id, { code: "BAD_MESSAGE" satisfies ErrorCode });
    }
    if (!(error instanceof RequestError)) throw error;
    const { reason, data } = error;
    const failure: RequestFailure = { code: error.code, reason, data };
    return encodeRequest("error", id, toJson(failure)!);
  }
}

/** Takes the result of one handler. An object for each request costs less than two functions and an object. */
class Answer implements Answering {
  readonly #requests: ChannelRequests;
  readonly #request: IncomingRequest;

  constructor(requests: ChannelRequests, request: IncomingRequest) {
    this.#requests = requests;
    this.#request = request;
  }

  done(result: unknown): void {
    this.#requests.finish(this.#request, "returned", result);
  }

  fail(error: unknown): void {
    this.#requests.finish(this.#request, "failed", error);
  }
}

function lostByMove(): ChannelError {
  return new ChannelError("REQUEST_LOST", MOVED);
}

/** The data of a request or reply: text or bytes; empty for undefined. Throws BAD_DATA for a stream, and for data that `send` refuses. */
export function bodyOf(data: unknown): Message {
  if (typeof data === "string") return data;
  if (data === undefined) return "";
  const { message, parts } = toSendable(data as SendData);
  if (parts === undefined) return message.body ?? "";
  discardSource(parts);
  throw new ChannelError("BAD_DATA", "a request and a reply are whole: they have no stream");
}
