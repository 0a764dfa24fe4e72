// Messages of a session that arrived while its channel took none. The carrier is read on, so that acknowledgements and
// heartbeats come through; the messages wait here, up to a bound, and are acknowledged when the channel has taken them.

import { Queue } from "../base/queue.ts";
import { keptSize } from "../protocol/session.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import { ownBytes } from "./form.ts";

/** From so many bytes on the carrier is not read: TCP makes the client wait. */
const MAX_HELD_BYTES = 1_048_576;

export class SessionHold {
  readonly #budget: BufferBudget;
  readonly #messages = new Queue<string | Uint8Array>();
  #bytes = 0;
  #isFull = false;

  constructor(budget: BufferBudget) {
    this.#budget = budget;
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

  /** True if this message has filled it. */
  add(data: string | Uint8Array): boolean {
    const message = typeof data === "string" ? data : ownBytes(data);
    this.#messages.push(message);
    this.#change(this.#bytes + sizeOf(message));
    if (this.#isFull) return false;
    // Where all clients together have sent too much, those that hold their share of it wait.
    this.#isFull = this.#bytes >= MAX_HELD_BYTES || (this.#budget.isExceeded && this.#budget.isShareSpent(this.#bytes));
    return this.#isFull;
  }

  shift(): string | Uint8Array | undefined {
    const message = this.#messages.shift();
    if (message === undefined) return undefined;
    this.#change(this.#bytes - sizeOf(message));
    if (this.#messages.length === 0 || this.#bytes * 2 < MAX_HELD_BYTES) this.#isFull = false;
    return message;
  }

  /** Nobody takes them any more. */
  clear(): void {
    this.#messages.clear();
    this.#change(0);
  }

  #change(bytes: number): void {
    this.#budget.change(this.#bytes, bytes);
    this.#bytes = bytes;
  }
}

function sizeOf(data: string | Uint8Array): number {
  return keptSize(typeof data === "string" ? data : { type: "message", data });
}
