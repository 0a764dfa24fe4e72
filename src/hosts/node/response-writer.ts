// Writes the body of a response to the client, counts unsent bytes, and finds a client that takes nothing any more.
// Bytes that the system does not take at once wait in a queue and go out in slices: a socket reports a write only when all of
// it is taken, and a slow client must not look like one that has stopped.

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Piece, sizeOf } from "../../base/bytes.ts";
import { whenTaken, writeTo } from "../../server/socket-write.ts";
import type { BufferBudget } from "../../transport/io/buffer-budget.ts";
import { MIN_SLICE_BYTES, WriteQueue } from "../../transport/io/write-queue.ts";

/** Where a response's bytes go. */
export interface ResponseSink {
  /** Bytes that the sink holds. */
  readonly heldBytes: number;
  /** Hands over a slice. Returns false if the sink calls `onTaken` when the system has taken it. */
  hand(output: Piece | readonly Piece[], onTaken: (error?: Error | null) => void): boolean;
}

/** The socket of a response whose head is written. The bytes are framed already. */
export class SocketSink implements ResponseSink {
  readonly #socket: Socket;
  readonly #isEncrypted: boolean;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#isEncrypted = "encrypted" in socket;
  }

  get heldBytes(): number {
    return this.#socket.writableLength;
  }

  hand(output: Piece | readonly Piece[], onTaken: (error?: Error | null) => void): boolean {
    const socket = this.#socket;
    if (this.#isEncrypted) {
      writeTo(socket, output, onTaken);
      return false;
    }
    writeTo(socket, output, undefined);
    if (socket.writableLength === 0) return true;
    whenTaken(socket, onTaken);
    return false;
  }
}

/** A response whose methods middleware has replaced, or that waits for an earlier one. Its "drain" says that it goes on. */
export class MessageSink implements ResponseSink {
  readonly #response: ServerResponse;
  #onTaken: (() => void) | undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
    // One listener, added once: `compression` hands listeners to a stream of its own, from which they are never removed.
    response.on("drain", () => {
      const onTaken = this.#onTaken;
      this.#onTaken = undefined;
      onTaken?.();
    });
  }

  get heldBytes(): number {
    return this.#response.writableLength;
  }

  hand(output: Piece | readonly Piece[], onTaken: (error?: Error | null) => void): boolean {
    const pieces = typeof output === "string" || output instanceof Uint8Array ? [output] : output;
    let isTaken = true;
    for (const piece of pieces) {
      isTaken = typeof piece === "string" ? this.#response.write(piece, "latin1") : this.#response.write(piece);
    }
    // The `compression` middleware holds output until it is told to flush.
    (this.#response as ServerResponse & { flush?(): void }).flush?.();
    if (!isTaken) this.#onTaken = onTaken;
    return isTaken;
  }
}

export class NodeResponseWriter {
  readonly #sink: ResponseSink;
  readonly #budget: BufferBudget;
  /** Called when all bytes are sent. */
  readonly #onEmpty: () => void;
  #isBlocked = false;
  #queue: WriteQueue | undefined;

  constructor(sink: ResponseSink, buffered: BufferBudget, onEmpty: () => void) {
    this.#sink = sink;
    this.#budget = buffered;
    this.#onEmpty = onEmpty;
  }

  get bufferedAmount(): number {
    return this.#isBlocked ? this.#sink.heldBytes + this.#queue!.bytes : 0;
  }

  get pinnedBytes(): number {
    return this.#isBlocked ? this.#queue!.pinnedBytes : 0;
  }

  write(output: Piece | readonly Piece[]): void {
    const sliceBytes = this.#queue === undefined ? MIN_SLICE_BYTES : this.#queue.sliceBytes;
    if (!this.#isBlocked && sizeOf(output) <= 2 * sliceBytes) this.#hand(output);
    else {
      this.#ensureQueue().add(output);
      this.#pump();
      this.#count();
    }
  }

  /** Called about twice a second. Returns true if the client has taken none of the unsent bytes for so long. */
  isStalled(now: number, writeTimeoutMs: number): boolean {
    if (!this.#isBlocked) return false;
    this.#count();
    return this.#queue!.isStalled(now, writeTimeoutMs);
  }

  /** Nothing is written any more: unsent bytes are not counted from now on. */
  release(): void {
    this.#isBlocked = false;
    this.#count();
    this.#queue = undefined;
  }

  #pump(): void {
    const queue = this.#queue!;
    while (!this.#isBlocked && queue.bytes > 0) {
      this.#hand(queue.take());
      if (!this.#isBlocked) queue.moved();
    }
  }

  #hand(output: Piece | readonly Piece[]): void {
    // Made before it is known whether it is needed: a client that is not read at once is the rule under TLS only.
    if (this.#sink.hand(output, this.#onTaken)) return;
    this.#isBlocked = true;
    this.#ensureQueue().stalledSince = undefined;
    this.#count();
  }

  readonly #onTaken = (error?: Error | null): void => {
    // "close" follows an error.
    if (error || this.#queue === undefined) return;
    this.#isBlocked = false;
    this.#queue.moved();
    this.#pump();
    this.#count();
    if (!this.#isBlocked) this.#onEmpty();
  };

  #ensureQueue(): WriteQueue {
    this.#queue ??= new WriteQueue(this.#onTaken);
    return this.#queue;
  }

  /** Updates the sum of all clients. */
  #count(): void {
    const queue = this.#queue;
    if (queue === undefined) return;
    const bytes = this.bufferedAmount + this.pinnedBytes;
    this.#budget.change(queue.counted, bytes);
    queue.counted = bytes;
  }
}
