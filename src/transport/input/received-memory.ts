// The memory of the bytes that one client has sent, as part of the server's budget (`maxTotalReceivedBytes`).

import type { RequestHead } from "../../codec/http1-request.ts";
import type { BufferBudget } from "../io/buffer-budget.ts";

export class ReceivedMemory {
  /** Bytes of a body that is being read whole. */
  #body = 0;
  /** Memory of the head of a request that has lasted for a tick; undefined before. */
  #head: number | undefined;
  /** Bytes of this connection that the budget counts. */
  #counted = 0;

  /** True if the input of all clients is over its limit, and this connection holds its equal share or more. */
  isShareSpent(buffered: BufferBudget): boolean {
    return buffered.isExceeded && buffered.isShareSpent(this.#counted);
  }

  holdBody(bytes: number): void {
    this.#body = bytes;
  }

  holdHead(head: Pick<RequestHead, "target" | "fields">): void {
    this.#head ??= memoryOf(head);
  }

  /** The request is over: its head and body are not counted any more. */
  releaseRequest(): void {
    this.#body = 0;
    this.#head = undefined;
  }

  /** Updates the budget; `undecoded`: bytes that wait to be decoded. False if this connection grew and has to make room. */
  count(undecoded: number, buffered: BufferBudget): boolean {
    const before = this.#counted;
    const bytes = undecoded + this.#body + (this.#head ?? 0);
    if (bytes === before) return true;
    this.#counted = bytes;
    buffered.change(before, bytes);
    return bytes < before || !this.isShareSpent(buffered);
  }

  release(buffered: BufferBudget): void {
    this.releaseRequest();
    if (this.#counted > 0) this.count(0, buffered);
  }
}

/** The approximate memory of a request's head: a parked poll keeps it for as long as it waits. */
function memoryOf({ target, fields }: Pick<RequestHead, "target" | "fields">): number {
  let bytes = target.length + 32 * fields.length;
  for (const text of fields) bytes += text.length;
  return bytes;
}
