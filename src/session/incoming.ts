// Messages that have arrived for the channel of a session. While it is paused they wait here, up to a bound: the carrier is read
// on, so that acknowledgements and heartbeats come through. They are acknowledged when the channel has taken them.

import { Queue } from "../base/queue.ts";
import { keptSize } from "../protocol/session.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import { IncomingRequest } from "../transport/requests.ts";
import type { SessionListener } from "../transport/transport.ts";
import { ownBytes } from "./form.ts";

/** From this many bytes on the carrier is not read: TCP makes the client wait. */
const MAX_HELD_BYTES = 1_048_576;

/** A message, or a request in its order among the messages. */
export type Received = string | Uint8Array | IncomingRequest;

export class Incoming {
  listener: SessionListener | undefined;
  readonly budget: BufferBudget;
  /** Undefined while nothing has had to wait. */
  #messages: Queue<Received> | undefined;
  bytes = 0;
  /** True from the message that fills it until half of it has been taken: the carrier is not read. */
  isFull = false;
  #isPaused = false;
  #isDelivering = false;
  /** Messages that were handed over to go on elsewhere: the application here has not taken them. */
  #handedOver = 0;

  constructor(budget: BufferBudget) {
    this.budget = budget;
  }

  /** Number of messages that the application has not taken: here, and in the channel. */
  get untaken(): number {
    return (this.#messages?.length ?? 0) + this.#handedOver + (this.listener?.undeliveredMessages ?? 0);
  }

  /** True while a message goes straight to the channel. */
  get isFree(): boolean {
    return !this.#isPaused && !this.#isDelivering && this.#messages === undefined;
  }

  /** Delivers a message, or lets it wait. True if this one has filled it. */
  add(data: string | Uint8Array): boolean {
    if (!this.isFree) return this.#keep(typeof data === "string" ? data : ownBytes(data));
    this.listener?.messageArrived(data);
    return false;
  }

  /** The same for a request. */
  addRequest(request: IncomingRequest): boolean {
    if (!this.isFree) return this.#keep(request);
    this.listener?.requestArrived(request);
    return false;
  }

  #keep(message: Received): boolean {
    this.#messages ??= new Queue();
    this.#messages.push(message);
    this.#setBytes(this.bytes + sizeOf(message));
    if (this.isFull) return false;
    // While all clients together have sent too much, those that hold their share of it wait.
    this.isFull = this.bytes >= MAX_HELD_BYTES || (this.budget.isExceeded && this.budget.isShareSpent(this.bytes));
    return this.isFull;
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** Delivers the messages that wait, until the channel pauses again. True if there is room again. */
  resume(): boolean {
    this.#isPaused = false;
    return this.#deliver("until paused");
  }

  /** Delivers all messages that wait, even to a paused channel: no more arrive. True if there is room again. */
  deliverAll(): boolean {
    return this.#deliver("all");
  }

  /** Hands over the messages that wait, to go on elsewhere. */
  takeAll(): readonly Received[] {
    const messages: Received[] = [];
    for (let next = this.#messages?.shift(); next !== undefined; next = this.#messages?.shift()) messages.push(next);
    this.clear();
    this.#handedOver += messages.length;
    return messages;
  }

  clear(): void {
    this.#messages = undefined;
    this.#setBytes(0);
  }

  #deliver(extent: "all" | "until paused"): boolean {
    // A receiver that resumes inside a delivery must not start a second loop.
    if (this.#isDelivering) return false;
    const wasFull = this.isFull;
    this.#isDelivering = true;
    while (this.#messages !== undefined && (extent === "all" || !this.#isPaused)) this.#deliverNext(this.#messages);
    this.#isDelivering = false;
    return wasFull && !this.isFull;
  }

  #deliverNext(messages: Queue<Received>): void {
    const message = messages.shift()!;
    this.#setBytes(this.bytes - sizeOf(message));
    if (messages.length === 0) this.#messages = undefined;
    if (this.#messages === undefined || this.bytes * 2 < MAX_HELD_BYTES) this.isFull = false;
    if (message instanceof IncomingRequest) this.listener?.requestArrived(message);
    else this.listener?.messageArrived(message);
  }

  #setBytes(bytes: number): void {
    this.budget.change(this.bytes, bytes);
    this.bytes = bytes;
  }
}

function sizeOf(message: Received): number {
  const data = message instanceof IncomingRequest ? message.data : message;
  return keptSize(typeof data === "string" ? data : { type: "message", data });
}
