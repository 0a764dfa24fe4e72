// Messages of a session that arrived while its channel was paused. The carrier is read on, so that acknowledgements and
// heartbeats come through; the messages wait here, up to a bound, and are acknowledged when the channel has taken them.

import { Queue } from "../base/queue.ts";
import { keptSize } from "../protocol/session.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import { ownBytes } from "./form.ts";

/** From this many bytes on the carrier is not read: TCP makes the client wait. */
const MAX_HELD_BYTES = 1_048_576;

export class SessionHold {
  readonly #budget: BufferBudget;
  readonly #deliverOne: (data: string | Uint8Array) => void;
  readonly #messages = new Queue<string | Uint8Array>();
  #bytes = 0;
  #isFull = false;
  /** The channel takes no messages. */
  #isPaused = true;
  #isDelivering = false;

  /** A hold begins paused. `deliver` hands one message to the channel, which may pause inside it. */
  constructor(budget: BufferBudget, deliver: (data: string | Uint8Array) => void) {
    this.#budget = budget;
    this.#deliverOne = deliver;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#messages.length;
  }

  /** True from the message that fills it until half of it has been taken. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** True once nothing waits and the channel takes messages: it is not needed any more. */
  get isDone(): boolean {
    return !this.#isPaused && !this.#isDelivering && this.#messages.length === 0;
  }

  /** Adds a message. True if this one has filled the hold. */
  add(data: string | Uint8Array): boolean {
    const message = typeof data === "string" ? data : ownBytes(data);
    this.#messages.push(message);
    this.#setBytes(this.#bytes + sizeOf(message));
    if (this.#isFull) return false;
    // While all clients together have sent too much, those that hold their share of it wait.
    this.#isFull = this.#bytes >= MAX_HELD_BYTES || (this.#budget.isExceeded && this.#budget.isShareSpent(this.#bytes));
    return this.#isFull;
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** Delivers what waits, until the channel pauses again. */
  resume(): void {
    this.#isPaused = false;
    this.#deliver({ all: false });
  }

  /** Delivers all that waits, although the channel is paused: no more messages come. */
  deliverAll(): void {
    this.#deliver({ all: true });
  }

  /** Drops what waits. */
  clear(): void {
    this.#messages.clear();
    this.#setBytes(0);
  }

  #deliver({ all }: { readonly all: boolean }): void {
    // A receiver that resumes inside a delivery must not start a second loop.
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    while (this.#messages.length > 0 && (all || !this.#isPaused)) this.#deliverOne(this.#shift());
    this.#isDelivering = false;
  }

  #shift(): string | Uint8Array {
    const message = this.#messages.shift()!;
    this.#setBytes(this.#bytes - sizeOf(message));
    if (this.#messages.length === 0 || this.#bytes * 2 < MAX_HELD_BYTES) this.#isFull = false;
    return message;
  }

  #setBytes(bytes: number): void {
    this.#budget.change(this.#bytes, bytes);
    this.#bytes = bytes;
  }
}

function sizeOf(data: string | Uint8Array): number {
  return keptSize(typeof data === "string" ? data : { type: "message", data });
}
