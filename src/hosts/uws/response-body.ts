// The body of a streamed response, through `HttpResponse.write`. uWebSockets.js takes everything, and tells only whether it has sent
// all of it. So it gets a slice at a time, and the rest waits here, where it is counted.
//
// Its `onWritable` is of no use here: with a listener it sends the rest of what it holds only when more is written
// (v20, HttpContext.h), and there may be no more. Without one it sends by itself, and is asked: the last bytes of a slice are
// written one by one until one of them says that nothing is left.

import { concat, latin1Bytes, type Piece } from "../../base/bytes.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { BufferBudget } from "../../transport/io/buffer-budget.ts";
import { WriteQueue } from "../../transport/io/write-queue.ts";
import type { HostBody, HostBodyOwner } from "../native/exchange.ts";
import type { UwsResponse } from "./types.ts";

/** Bytes that are written without a check: inside a cork every write seems to be sent. */
const UNCHECKED_BYTES = 16_384;
/** The last bytes of a slice, written one by one as checks: more checks than `writeTimeoutMs` has room for. */
const HELD_BYTES = 512;
const FIRST_POLL_MS = 10;
const LAST_POLL_MS = 250;

interface UwsResponseBodyContext {
  readonly clock: Clock;
  readonly buffered: BufferBudget;
}

export class UwsResponseBody implements HostBody {
  readonly #response: UwsResponse;
  readonly #owner: HostBodyOwner;
  readonly #context: UwsResponseBodyContext;
  readonly #queue = new WriteQueue(() => {});
  /** Bytes written since the last time that all was sent. */
  #unchecked = 0;
  /** Exists while the host has not sent all of a slice. */
  #blocked: { bytes: number; held: Uint8Array; pollMs: number; timer: Timer | undefined } | undefined;
  #isEnding = false;
  #isOver = false;

  constructor(response: UwsResponse, owner: HostBodyOwner, context: UwsResponseBodyContext) {
    this.#response = response;
    this.#owner = owner;
    this.#context = context;
  }

  get bufferedAmount(): number {
    return (this.#blocked?.bytes ?? 0) + this.#queue.bytes;
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
    return this.#blocked !== undefined && this.#queue.isStalled(now, writeTimeoutMs);
  }

  release(): void {
    this.#isOver = true;
    this.#context.clock.clearTimer(this.#blocked?.timer);
    this.#blocked = undefined;
    this.#queue.clear();
    this.#count();
  }

  #pump(): void {
    while (this.#blocked === undefined && this.#queue.bytes > 0) this.#writeSlice(toBytes(this.#queue.take()));
    this.#count();
  }

  #writeSlice(bytes: Uint8Array): void {
    this.#unchecked += bytes.length;
    if (this.#unchecked < UNCHECKED_BYTES || bytes.length < 2) {
      this.#writeCorked(bytes);
      return;
    }
    const heldAt = Math.max(bytes.length - HELD_BYTES, 1);
    this.#writeCorked(bytes.subarray(0, heldAt));
    const held = bytes.subarray(heldAt);
    this.#blocked = { bytes: bytes.length, held, pollMs: FIRST_POLL_MS, timer: undefined };
    this.#ask();
  }

  /** Writes one byte of the slice: the result tells whether all bytes before it are sent. */
  #ask(): void {
    const blocked = this.#blocked!;
    const isSent = this.#response.write(blocked.held.subarray(0, 1));
    blocked.held = blocked.held.subarray(1);
    // The last one is not left waiting for a time to come.
    if (isSent || blocked.held.length === 0) {
      this.#blocked = undefined;
      this.#unchecked = blocked.held.length;
      if (blocked.held.length > 0) this.#writeCorked(blocked.held);
      this.#queue.moved();
      return;
    }
    blocked.timer = this.#context.clock.setTimer(() => this.#askAgain(), blocked.pollMs);
    blocked.pollMs = Math.min(2 * blocked.pollMs, LAST_POLL_MS);
  }

  #askAgain(): void {
    if (this.#blocked === undefined) return;
    this.#ask();
    this.#pump();
    if (this.bufferedAmount > 0) return;
    if (this.#isEnding) this.#end();
    else this.#owner.emptied();
  }

  #writeCorked(bytes: Uint8Array): void {
    this.#response.cork(() => this.#response.write(bytes));
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
    this.#context.buffered.change(this.#queue.counted, bytes);
    this.#queue.counted = bytes;
  }
}

/** Strings would be written as UTF-8. */
function toBytes(output: Piece | readonly Piece[]): Uint8Array {
  if (typeof output === "string") return latin1Bytes(output);
  if (output instanceof Uint8Array) return output;
  return concat(output.map((piece) => (typeof piece === "string" ? latin1Bytes(piece) : piece)));
}
