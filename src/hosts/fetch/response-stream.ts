// The body of a streamed response, as a ReadableStream that its host pulls. Bytes that the host has not asked for wait here, where
// they are counted. A stream that is pushed would have no back-pressure.

import { concat, latin1Bytes, type Piece } from "../../base/bytes.ts";
import type { BufferBudget } from "../../transport/io/buffer-budget.ts";
import { WriteQueue } from "../../transport/io/write-queue.ts";
import type { HostBody, HostBodyOwner } from "../native/exchange.ts";

type Controller = ReadableStreamDefaultController<Uint8Array>;

export class ResponseStream implements HostBody {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #owner: HostBodyOwner;
  readonly #budget: BufferBudget;
  readonly #queue = new WriteQueue(() => {});
  #controller!: Controller;
  /** The host waits for bytes. */
  #isAsked = false;
  #isEnding = false;
  #isOver = false;

  constructor(owner: HostBodyOwner, buffered: BufferBudget) {
    this.#owner = owner;
    this.#budget = buffered;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pulled(),
        cancel: () => {
          this.release();
          owner.cancelled();
        },
      },
      // Nothing is taken ahead of the host's own demand.
      { highWaterMark: 0 },
    );
  }

  get bufferedAmount(): number {
    return this.#queue.bytes;
  }

  get pinnedBytes(): number {
    return this.#queue.pinnedBytes;
  }

  write(output: Piece | readonly Piece[]): void {
    if (this.#isOver) return;
    this.#queue.add(output);
    if (this.#isAsked) this.#give();
    this.#count();
  }

  /** Ends the body after the waiting bytes. */
  end(): void {
    this.#isEnding = true;
    if (this.#queue.bytes === 0) this.#close();
  }

  /** Fails the body: the client must see that it is incomplete. */
  fail(error: Error): void {
    if (this.#isOver) return;
    this.release();
    this.#controller.error(error);
  }

  /** Called about twice a second. True if the host has asked for nothing for so long. */
  isStalled(now: number, writeTimeoutMs: number): boolean {
    return !this.#isOver && this.#queue.bytes > 0 && this.#queue.isStalled(now, writeTimeoutMs);
  }

  /** Nothing is written any more: unsent bytes are not counted from now on. */
  release(): void {
    this.#isOver = true;
    this.#queue.clear();
    this.#count();
  }

  #pulled(): void {
    this.#isAsked = true;
    if (this.#queue.bytes === 0) return;
    this.#give();
    this.#count();
    // Not inside the host's call of `pull`: the host does not expect other calls during it.
    if (this.#queue.bytes === 0) queueMicrotask(() => this.#emptied());
  }

  #give(): void {
    this.#isAsked = false;
    this.#queue.moved();
    this.#controller.enqueue(toBytes(this.#queue.take()));
    if (this.#isEnding && this.#queue.bytes === 0) this.#close();
  }

  #emptied(): void {
    if (!this.#isOver && this.#queue.bytes === 0) this.#owner.emptied();
  }

  #close(): void {
    if (this.#isOver) return;
    this.release();
    this.#controller.close();
    this.#owner.emptied();
  }

  /** Updates the sum of all clients. */
  #count(): void {
    const bytes = this.#queue.bytes + this.#queue.pinnedBytes;
    this.#budget.change(this.#queue.counted, bytes);
    this.#queue.counted = bytes;
  }
}

function toBytes(output: Piece | readonly Piece[]): Uint8Array {
  if (typeof output === "string") return latin1Bytes(output);
  if (output instanceof Uint8Array) return output;
  return concat(output.map((piece) => (typeof piece === "string" ? latin1Bytes(piece) : piece)));
}
