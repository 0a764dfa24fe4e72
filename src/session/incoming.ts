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

/** The state of an Incoming that is paused, delivers, or has messages that the application has not taken. */
interface Held {
  /** Undefined while nothing has had to wait. */
  messages: Queue<Received> | undefined;
  bytes: number;
  isFull: boolean;
  isPaused: boolean;
  isDelivering: boolean;
  /** Messages that were handed over to go on elsewhere: the application here has not taken them. */
  handedOver: number;
}

export class Incoming {
  listener: SessionListener | undefined;
  readonly budget: BufferBudget;
  /** Undefined while a message goes straight to the channel: as fields of every session they were 40 bytes more. */
  #held: Held | undefined;

  constructor(budget: BufferBudget) {
    this.budget = budget;
  }

  get bytes(): number {
    return this.#held?.bytes ?? 0;
  }

  /** True from the message that fills it until half of it has been taken: the carrier is not read. */
  get isFull(): boolean {
    return this.#held?.isFull === true;
  }

  /** Number of messages that the application has not taken: here, and in the channel. */
  get untaken(): number {
    const here = this.#held === undefined ? 0 : (this.#held.messages?.length ?? 0) + this.#held.handedOver;
    return here + (this.listener?.undeliveredMessages ?? 0);
  }

  /** True while a message goes straight to the channel. */
  get isFree(): boolean {
    const held = this.#held;
    return held === undefined || (!held.isPaused && !held.isDelivering && held.messages === undefined);
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
    const held = this.#ensureHeld();
    held.messages ??= new Queue();
    held.messages.push(message);
    this.#setBytes(held, held.bytes + sizeOf(message));
    if (held.isFull) return false;
    // While all clients together have sent too much, those that hold their share of it wait.
    held.isFull = held.bytes >= MAX_HELD_BYTES || (this.budget.isExceeded && this.budget.isShareSpent(held.bytes));
    return held.isFull;
  }

  pause(): void {
    this.#ensureHeld().isPaused = true;
  }

  /** Delivers the messages that wait, until the channel pauses again. True if there is room again. */
  resume(): boolean {
    const held = this.#held;
    if (held === undefined) return false;
    held.isPaused = false;
    return this.#deliver(held, "until paused");
  }

  /** Delivers all messages that wait, even to a paused channel: no more arrive. True if there is room again. */
  deliverAll(): boolean {
    return this.#held !== undefined && this.#deliver(this.#held, "all");
  }

  /** Hands over the messages that wait, to go on elsewhere. */
  takeAll(): readonly Received[] {
    const messages: Received[] = [];
    const held = this.#held;
    if (held === undefined) return messages;
    for (let next = held.messages?.shift(); next !== undefined; next = held.messages?.shift()) messages.push(next);
    this.clear();
    held.handedOver += messages.length;
    return messages;
  }

  clear(): void {
    if (this.#held === undefined) return;
    this.#held.messages = undefined;
    this.#setBytes(this.#held, 0);
  }

  #ensureHeld(): Held {
    this.#held ??= {
      messages: undefined,
      bytes: 0,
      isFull: false,
      isPaused: false,
      isDelivering: false,
      handedOver: 0,
    };
    return this.#held;
  }

  #deliver(held: Held, extent: "all" | "until paused"): boolean {
    // A receiver that resumes inside a delivery must not start a second loop.
    if (held.isDelivering) return false;
    const wasFull = held.isFull;
    held.isDelivering = true;
    while (held.messages !== undefined && (extent === "all" || !held.isPaused)) this.#deliverNext(held, held.messages);
    held.isDelivering = false;
    const hasRoom = wasFull && !held.isFull;
    // Not when it was cleared while it was full: it stays so.
    if (this.isFree && !held.isFull && held.handedOver === 0) this.#held = undefined;
    return hasRoom;
  }

  #deliverNext(held: Held, messages: Queue<Received>): void {
    const message = messages.shift()!;
    this.#setBytes(held, held.bytes - sizeOf(message));
    if (messages.length === 0) held.messages = undefined;
    if (held.messages === undefined || held.bytes * 2 < MAX_HELD_BYTES) held.isFull = false;
    if (message instanceof IncomingRequest) this.listener?.requestArrived(message);
    else this.listener?.messageArrived(message);
  }

  #setBytes(held: Held, bytes: number): void {
    this.budget.change(held.bytes, bytes);
    held.bytes = bytes;
  }
}

function sizeOf(message: Received): number {
  const data = message instanceof IncomingRequest ? message.data : message;
  return keptSize(typeof data === "string" ? data : { type: "message", data });
}
