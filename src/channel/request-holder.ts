// The part of a channel that asks and answers: it makes the requests of the channel with the first of them. `TransportChannel`
// extends it with all that it needs of the channel.

import { ChannelError } from "../base/errors.ts";
import type { RequestContent } from "../codec/request-record.ts";
import type { RequestOptions } from "../protocol/asked-requests.ts";
import type { OutboundMessage } from "../protocol/outbound-message.ts";
import type { OutboundRequest } from "../protocol/outbound-request.ts";
import type { IncomingRequest } from "../transport/requests.ts";
import type { SessionListener, Transport } from "../transport/transport.ts";
import type { Callbacks } from "./callbacks.ts";
import type { Message, SessionHandlers } from "./channel.ts";
import type { ChannelContext } from "./context.ts";
import { ChannelRequests, type RequestsOwner } from "./requests.ts";

export abstract class RequestHolder implements RequestsOwner {
  abstract readonly isOpen: boolean;
  abstract readonly callbacks: Callbacks;
  abstract readonly logName: string;
  /** The transport below. */
  protected readonly link: Transport<SessionListener>;
  protected readonly context: ChannelContext;
  #requests: ChannelRequests | undefined;

  constructor(link: Transport<SessionListener>, context: ChannelContext) {
    this.link = link;
    this.context = context;
  }

  abstract sendRecord(message: OutboundMessage, isUrgent: boolean): boolean;
  /** Gives the request its place among the messages that wait. */
  protected abstract accept(request: IncomingRequest): void;
  /** The reason why nothing can be sent any more. */
  protected abstract endError(): ChannelError;

  sendRequest(message: OutboundRequest, room: "needed" | "any"): boolean {
    const isTaken = this.sendRecord(message, room === "any");
    if (isTaken) this.context.messages.sent += 1;
    return isTaken;
  }

  requestArrived(request: IncomingRequest): void {
    if (this.isOpen) this.context.messages.received += 1;
    this.accept(request);
  }

  replyArrived(content: RequestContent): void {
    this.context.messages.received += 1;
    this.#requests?.settle(content);
  }

  /** Throws what `Channel.request` rejects with. `options` are checked. */
  request(data: Message, options: RequestOptions): Promise<Message> {
    if (!this.isOpen) throw new ChannelError("CHANNEL_CLOSED");
    const requests = this.#ensure();
    if (requests === undefined) throw new ChannelError("REQUESTS_UNSUPPORTED", `a channel on ${this.logName}`);
    return requests.ask(data, options);
  }

  onRequest(fn: NonNullable<SessionHandlers["request"]>): () => void {
    if (this.callbacks.hasRequest) throw new ChannelError("HANDLER_EXISTS");
    return this.callbacks.set("request", fn);
  }

  /** A request has its turn. */
  answer(request: IncomingRequest): void {
    this.#ensure()!.answer(request);
  }

  get awaitsReply(): boolean {
    return this.#requests?.awaitsReply === true;
  }

  /** True if no request handler runs. */
  protected get areRequestsIdle(): boolean {
    return this.#requests?.isIdle !== false;
  }

  protected takeRunningRequests(): readonly IncomingRequest[] {
    return this.#requests?.takeRunning() ?? [];
  }

  /** Nothing can be sent any more. */
  protected endRequests(): void {
    this.#requests?.end(this.endError());
  }

  protected requestsLeave(): void {
    this.#requests?.leaves();
  }

  #ensure(): ChannelRequests | undefined {
    const { requests } = this.link;
    if (requests !== undefined) this.#requests ??= new ChannelRequests(requests, this.context.clock, this);
    return this.#requests;
  }
}
