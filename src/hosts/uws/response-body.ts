// The body of a response that goes on, through `HttpResponse.write`. uWebSockets.js takes everything and tells only that it has not
// sent it all: so it gets a slice at a time, and the rest waits here, where it is counted.

import { latin1Bytes, type Piece } from "../../base/bytes.ts";
import type { BufferBudget } from "../../transport/io/buffer-budget.ts";
import { MIN_SLICE_BYTES, WriteQueue } from "../../transport/io/write-queue.ts";
import type { HostBody, HostBodyOwner } from "../native/exchange.ts";
import type { UwsResponse } from "./types.ts";

export class UwsResponseBody implements HostBody {
  readonly #response: UwsResponse;
  readonly #owner: HostBodyOwner;
  readonly #budget: BufferBudget;
  readonly #queue = new WriteQueue(() => {});
  /** Bytes of the slice that the host has not sent whole. */
  #blockedBytes = 0;
  #isEnding = false;
  #isOver = false;

  constructor(response: UwsResponse, owner: HostBodyOwner, budget: BufferBudget) {
    this.#response = response;
    this.#owner = owner;
    this.#budget = budget;
    response.onWritable(() => {
      this.#written();
      return true;
    });
  }

  get bufferedAmount(): number {
    return this.#blockedBytes + this.#queue.bytes;
  }

  get pinnedBytes(): number {
    return this.#queue.pinnedBytes;
  }

  write(output: Piece | readonly Piece[]): void {
    if (this.#isOver) return;
    this.#queue.add(output);
    this.#pump();
  }

  end(): void {
    this.#isEnding = true;
    if (this.bufferedAmount === 0) this.#end();
  }

  fail(): void {
    if (this.#isOver) return;
    this.release();
    this.#response.close();
  }

  isStalled(now: number, writeTimeoutMs: number): boolean {
    if (this.#isOver || this.#blockedBytes === 0) return false;
    if (this.#queue.stalledSince === undefined) {
      this.#queue.stalledSince = now;
      return false;
    }
    this.#queue.sliceBytes = MIN_SLICE_BYTES;
    return now - this.#queue.stalledSince >= writeTimeoutMs;
  }

  release(): void {
    this.#isOver = true;
    this.#blockedBytes = 0;
    this.#queue.clear();
    this.#count();
  }

  #pump(): void {
    if (this.#blockedBytes === 0 && this.#queue.bytes > 0) this.#response.cork(() => this.#writeSlices());
    this.#count();
  }

  #writeSlices(): void {
    while (this.#blockedBytes === 0 && this.#queue.bytes > 0) {
      const slice = this.#queue.take();
      const pieces = typeof slice === "string" || slice instanceof Uint8Array ? [slice] : slice;
      let bytes = 0;
      let isTaken = true;
      for (const piece of pieces) {
        bytes += piece.length;
        // Strings are written as UTF-8.
        isTaken = this.#response.write(typeof piece === "string" ? latin1Bytes(piece) : piece);
      }
      if (isTaken) this.#queue.moved();
      else this.#blockedBytes = bytes;
    }
  }

  #written(): void {
    if (this.#isOver) return;
    this.#blockedBytes = 0;
    this.#queue.moved();
    this.#pump();
    if (this.bufferedAmount > 0) return;
    if (this.#isEnding) this.#end();
    else this.#owner.emptied();
  }

  #end(): void {
    if (this.#isOver) return;
    this.release();
    this.#response.cork(() => this.#response.end());
    this.#owner.emptied();
  }

  /** Updates the sum of all clients. */
  #count(): void {
    const bytes = this.bufferedAmount + this.#queue.pinnedBytes;
    this.#budget.change(this.#queue.counted, bytes);
    this.#queue.counted = bytes;
  }
}
