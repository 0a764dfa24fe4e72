// Messages that are made of parts, and those that wait behind one: a stream is pulled at the pace of the client, and
// what is sent meanwhile keeps its turn. A channel that never sends a stream has no outbox.

import { memorySize } from "../base/memory-size.ts";
import { Queue } from "../base/queue.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { Transport } from "../transport/transport.ts";
import { toPart } from "./body.ts";
import type { Sendable } from "./send-data.ts";
import { discardSource, holdSource, openSource, type Source } from "./source.ts";

/** A stream is not pulled while more than this is unsent. */
const HIGH_WATER_BYTES = 65_536;

/** A source that is always ready gives way to the event loop after this many bytes, each part counted as 64 or more. */
const TURN_BYTES = 65_536;

/** Least size that a waiting message is counted with: keeping an empty one costs memory, too. */
const MIN_WAITING_SIZE = 64;

interface Waiting {
  readonly sendable: Sendable;
  readonly last: boolean;
  /** Bytes that it is counted with. */
  readonly size: number;
}

export interface OutboxOwner {
  /** Half a message is out, and its rest will never come. */
  streamFailed(error: unknown): void;
  /** A message that waited could not be sent. */
  reportUnsent(error: unknown): void;
  /** Everything was handed to the transport. */
  outboxEmptied(): void;
}

export class Outbox {
  readonly #transport: Transport;
  /** Counts the bytes that wait here. */
  readonly #budget: BufferBudget;
  readonly #owner: OutboxOwner;
  readonly #waiting: Queue<Waiting> = new Queue();
  #bytes = 0;
  /** The stream that is being sent. */
  #source: Source | undefined;
  #isRunning = false;
  #isCancelled = false;
  #end: (() => void) | undefined;
  #onRoom: (() => void) | undefined;

  constructor(transport: Transport, budget: BufferBudget, owner: OutboxOwner) {
    this.#transport = transport;
    this.#budget = budget;
    this.#owner = owner;
  }

  /** True while a message must wait its turn. */
  get isBusy(): boolean {
    return this.#isRunning;
  }

  /** Bytes that wait here. A stream that was not pulled yet counts as 64: how long it will be is not known. */
  get bufferedAmount(): number {
    return this.#bytes;
  }

  /** Sends after everything that waits. When nothing does, a bad head or a locked stream throws here, and is given up. */
  add(sendable: Sendable, last: boolean): void {
    if (this.#isRunning) {
      const size = Math.max(memorySize(sendable.message.body ?? ""), MIN_WAITING_SIZE);
      if (sendable.parts !== undefined) holdSource(sendable.parts);
      this.#waiting.push({ sendable, last, size });
      this.#hold(this.#bytes + size);
      return;
    }
    const source = this.#begin(sendable, last);
    this.#isRunning = true;
    void this.#run(source, last);
  }

  /** Calls `end` after the last message. */
  endWith(end: () => void): void {
    this.#end = end;
  }

  /** Called when the channel is closed: nothing is pulled or sent any more, and every source is told. */
  cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    for (const { sendable } of this.#waiting) if (sendable.parts !== undefined) discardSource(sendable.parts);
    this.#waiting.clear();
    this.#hold(0);
    this.#onRoom?.();
    this.#source?.cancel();
  }

  /** The transport's buffer is empty. */
  onDrain(): void {
    this.#onRoom?.();
  }

  async #run(first: Source, last: boolean): Promise<void> {
    await this.#pump(first, last);
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#hold(this.#bytes - next.size);
      await this.#sendWaiting(next.sendable, next.last);
    }
    this.#isRunning = false;
    if (this.#isCancelled) return;
    if (this.#end !== undefined) this.#try(this.#end);
    this.#owner.outboxEmptied();
  }

  async #sendWaiting(sendable: Sendable, last: boolean): Promise<void> {
    if (sendable.parts === undefined) {
      this.#try(() => this.#transport.send(sendable.message, last));
      return;
    }
    const source = this.#try(() => this.#begin(sendable, last));
    if (source !== undefined) await this.#pump(source, last);
  }

  #hold(bytes: number): void {
    this.#budget.change(this.#bytes, bytes);
    this.#bytes = bytes;
  }

  #begin({ message, parts }: Sendable, last: boolean): Source {
    const source = openSource(parts!, this.#transport.messageForm);
    try {
      this.#transport.begin(message, last);
    } catch (error) {
      source.cancel();
      throw error;
    }
    return source;
  }

  async #pump(source: Source, last: boolean): Promise<void> {
    this.#source = source;
    let bytesThisTurn = 0;
    try {
      // The transport may have ended while the stream began: a HEAD has no body.
      if (this.#isCancelled) return source.cancel();
      while (!this.#isCancelled) {
        const { done, value } = await source.next();
        if (done || this.#isCancelled) break;
        const part = toPart(value);
        this.#transport.part(part);
        bytesThisTurn += Math.max(part.length, 64);
        if (this.#transport.bufferedAmount > HIGH_WATER_BYTES) await this.#room();
        // Promises alone never let the event loop run: a dead connection would take all that is pulled and never be
        // seen to have closed, and other connections would wait.
        else if (bytesThisTurn < TURN_BYTES) continue;
        else await new Promise(setImmediate);
        bytesThisTurn = 0;
      }
      if (this.#isCancelled) return;
      this.#transport.finish();
      if (last) this.#transport.close(1000, "");
    } catch (error) {
      source.cancel();
      if (!this.#isCancelled) this.#owner.streamFailed(error);
    } finally {
      this.#source = undefined;
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRoom = () => {
        this.#onRoom = undefined;
        resolve();
      };
    });
  }

  #try<T>(send: () => T): T | undefined {
    try {
      return send();
    } catch (error) {
      this.#owner.reportUnsent(error);
      return undefined;
    }
  }
}
