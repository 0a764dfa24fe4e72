// Sends streams at the pace of the client, and the messages that are sent meanwhile after them, in order. A channel that
// never sends a stream has no outbox.

import { heldBytes, MIN_HELD_BYTES } from "../base/memory-size.ts";
import { Queue } from "../base/queue.ts";
import { type Moves, StateMachine } from "../base/state-machine.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { Position, Transport } from "../transport/transport.ts";
import { toPart } from "./body.ts";
import type { Sendable } from "./send-data.ts";
import { discardSource, holdSource, openSource, type Source } from "./source.ts";

/** A stream is not pulled while more than this is unsent. */
const HIGH_WATER_BYTES = 65_536;

/** A source that is always ready gives way to the event loop after this many bytes, each part counted as 64 or more. */
const TURN_BYTES = 65_536;

/**
 * - idle: nothing is being sent
 * - sending: a stream is being sent; other messages wait
 * - cancelled: the channel is closed, and nothing is sent any more
 */
type OutboxState = "idle" | "sending" | "cancelled";

/** Every move. */
const MOVES: Moves<OutboxState> = {
  idle: ["sending", "cancelled"],
  sending: ["idle", "cancelled"],
  cancelled: [],
};

interface Waiting {
  readonly sendable: Sendable;
  readonly position: Position;
  /** Bytes with which it counts. */
  readonly size: number;
}

export interface OutboxOwner {
  /** The source of a stream has failed after the stream was begun. */
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
  readonly #state = new StateMachine("an outbox", MOVES, "idle");
  /** Called when all messages are sent. */
  #end: (() => void) | undefined;
  /** Resumes the stream that waits for the client. */
  #onRoom: (() => void) | undefined;

  constructor(transport: Transport, buffered: BufferBudget, owner: OutboxOwner) {
    this.#transport = transport;
    this.#budget = buffered;
    this.#owner = owner;
  }

  /** True while a message must wait its turn. */
  get isBusy(): boolean {
    return this.#state.is("sending");
  }

  /** Bytes that wait here. A stream whose turn has not come counts as 64: its length is not known. */
  get bufferedAmount(): number {
    return this.#bytes;
  }

  /** Sends a message after those that wait. If none does, a bad head or a locked stream throws here, and is not sent. */
  add(sendable: Sendable, position: Position): void {
    if (this.#state.is("sending")) {
      const size = heldBytes(sendable.message.body ?? "");
      if (sendable.parts !== undefined) holdSource(sendable.parts);
      this.#waiting.push({ sendable, position, size });
      this.#hold(this.#bytes + size);
      return;
    }
    const source = this.#begin(sendable, position);
    this.#state.tryMoveTo("sending");
    void this.#run(source, position);
  }

  /** Calls `end` after the last message. */
  endWith(end: () => void): void {
    this.#end = end;
  }

  /** The channel is closed: cancels every source. */
  cancel(): void {
    if (!this.#state.tryMoveTo("cancelled")) return;
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

  async #run(first: Source, position: Position): Promise<void> {
    await this.#pump(first, position);
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#hold(this.#bytes - next.size);
      await this.#sendWaiting(next.sendable, next.position);
    }
    if (!this.#state.tryMoveTo("idle")) return;
    if (this.#end !== undefined) this.#try(this.#end);
    this.#owner.outboxEmptied();
  }

  async #sendWaiting(sendable: Sendable, position: Position): Promise<void> {
    if (sendable.parts === undefined) {
      const { message } = sendable;
      this.#try(() => (position === "last" ? this.#transport.sendLast(message) : this.#transport.send(message)));
      return;
    }
    const source = this.#try(() => this.#begin(sendable, position));
    if (source !== undefined) await this.#pump(source, position);
  }

  #hold(bytes: number): void {
    this.#budget.change(this.#bytes, bytes);
    this.#bytes = bytes;
  }

  #begin({ message, parts }: Sendable, position: Position): Source {
    const source = openSource(parts!, this.#transport.messageForm);
    try {
      this.#transport.begin?.(message, position);
    } catch (error) {
      source.cancel();
      throw error;
    }
    return source;
  }

  async #pump(source: Source, position: Position): Promise<void> {
    this.#source = source;
    let bytesThisTurn = 0;
    try {
      // The transport may have ended when the stream began: the response to a HEAD has no body.
      if (this.#state.is("cancelled")) return source.cancel();
      while (!this.#state.is("cancelled")) {
        const { done, value } = await source.next();
        if (done || this.#state.is("cancelled")) break;
        const part = toPart(value);
        this.#transport.part(part);
        bytesThisTurn += Math.max(part.length, MIN_HELD_BYTES);
        if (this.#transport.bufferedAmount > HIGH_WATER_BYTES) await this.#room();
        // Promises alone never let the event loop run: other connections would wait, and this one would not be seen to close.
        else if (bytesThisTurn < TURN_BYTES) continue;
        else await new Promise(setImmediate);
        bytesThisTurn = 0;
      }
      if (this.#state.is("cancelled")) return;
      this.#transport.finish?.();
      if (position === "last") this.#transport.close(1000, "");
    } catch (error) {
      source.cancel();
      // The failure cancels all sources, and this one has been told.
      this.#source = undefined;
      if (!this.#state.is("cancelled")) this.#owner.streamFailed(error);
    } finally {
      this.#source = undefined;
    }
  }

  /** Resolves when the client has taken all. A session's client is asked to acknowledge: its last acknowledgement would take a second. */
  #room(): Promise<void> {
    this.#transport.hurry?.();
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
