// Messages that are made of parts, and those that wait behind one: a stream is pulled at the pace of the client, and
// what is sent meanwhile keeps its turn. A channel that never sends a stream has no outbox.

import { textStream } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { callSync } from "../base/guard.ts";
import type { Transport } from "../transport/transport.ts";
import { type BodyPart, type Sendable, toPart } from "./send-data.ts";

/** A stream is not pulled while more than this is unsent. */
const HIGH_WATER_BYTES = 65_536;

/** A source that is always ready gives way to the event loop after this many bytes, each part counted as 64 or more. */
const TURN_BYTES = 65_536;

type Parts = NonNullable<Sendable["parts"]>;
type PartIterator = AsyncIterator<BodyPart> | Iterator<BodyPart>;

export interface OutboxOwner {
  /** Half a message is out, and its rest will never come. */
  streamFailed(error: unknown): void;
  /** A message that waited could not be sent. */
  reportUnsent(error: unknown): void;
  /** What waits has grown or shrunk. */
  outboxHolds(before: number, after: number): void;
  /** Everything was handed to the transport. */
  outboxEmptied(): void;
}

export class Outbox {
  readonly #transport: Transport;
  readonly #owner: OutboxOwner;
  #waiting: { readonly sendable: Sendable; readonly last: boolean }[] = [];
  #bytes = 0;
  #iterator: PartIterator | undefined;
  #isRunning = false;
  #isCancelled = false;
  #close: { readonly code: number; readonly reason: string } | undefined;
  #onRoom: (() => void) | undefined;

  constructor(transport: Transport, owner: OutboxOwner) {
    this.#transport = transport;
    this.#owner = owner;
  }

  /** True while a message must wait its turn. */
  get isBusy(): boolean {
    return this.#isRunning;
  }

  /** Bytes that wait here; those of a stream that was not pulled yet are unknown and do not count. */
  get bufferedAmount(): number {
    return this.#bytes;
  }

  /** Sends after all that waits. When nothing does, a bad head or a locked stream throws here. */
  add(sendable: Sendable, last: boolean): void {
    if (this.#isRunning) {
      this.#waiting.push({ sendable, last });
      this.#hold(this.#bytes + (sendable.message.body?.length ?? 0));
      return;
    }
    const iterator = this.#begin(sendable, last);
    this.#isRunning = true;
    void this.#run(iterator, last);
  }

  /** Closes the transport behind the last message. */
  closeAfter(code: number, reason: string): void {
    this.#close ??= { code, reason };
  }

  /** The channel is closed: nothing is pulled or sent any more, and the source is told. */
  cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#waiting = [];
    this.#hold(0);
    this.#onRoom?.();
    void giveUp(this.#iterator);
  }

  /** The transport's buffer is empty. */
  onDrain(): void {
    this.#onRoom?.();
  }

  async #run(first: PartIterator, last: boolean): Promise<void> {
    await this.#pump(first, last);
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#hold(this.#bytes - (next.sendable.message.body?.length ?? 0));
      await this.#sendWaiting(next.sendable, next.last);
    }
    this.#isRunning = false;
    if (this.#isCancelled) return;
    if (this.#close !== undefined) this.#try(() => this.#transport.close(this.#close!.code, this.#close!.reason));
    this.#owner.outboxEmptied();
  }

  async #sendWaiting(sendable: Sendable, last: boolean): Promise<void> {
    if (sendable.parts === undefined) {
      this.#try(() => this.#transport.send(sendable.message, last));
      return;
    }
    const iterator = this.#try(() => this.#begin(sendable, last));
    if (iterator !== undefined) await this.#pump(iterator, last);
  }

  #hold(bytes: number): void {
    this.#owner.outboxHolds(this.#bytes, bytes);
    this.#bytes = bytes;
  }

  #begin({ message, parts }: Sendable, last: boolean): PartIterator {
    const { isSession, kind } = this.#transport;
    // A session carries bytes whatever carries it.
    const iterator = iterate(parts!, isSession ? "websocket" : kind);
    this.#transport.begin(message, last);
    return iterator;
  }

  async #pump(iterator: PartIterator, last: boolean): Promise<void> {
    this.#iterator = iterator;
    let bytesThisTurn = 0;
    try {
      while (!this.#isCancelled) {
        const { done, value } = await iterator.next();
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
      if (this.#isCancelled) return await giveUp(iterator);
      this.#transport.finish();
      if (last) this.#transport.close(1000, "");
    } catch (error) {
      if (!this.#isCancelled) this.#owner.streamFailed(error);
      await giveUp(iterator);
    } finally {
      this.#iterator = undefined;
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

function iterate(parts: Parts, kind: Transport["kind"]): PartIterator {
  // A Blob is one message: in an event stream its bytes must not be cut into events.
  if (parts instanceof Blob && kind !== "http") return wholeBlob(parts);
  const source = parts instanceof Blob ? parts.stream() : parts;
  const iterator = start(source);
  return kind === "sse" ? asText(iterator) : iterator;
}

function start(source: AsyncIterable<BodyPart> | Iterable<BodyPart>): PartIterator {
  try {
    return callSync<PartIterator>("the stream's iterator", () =>
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator](),
    );
  } catch (error) {
    throw new ChannelError("BAD_DATA", "the stream cannot be read", { cause: error });
  }
}

async function* wholeBlob(blob: Blob): AsyncGenerator<BodyPart> {
  yield await blob.arrayBuffer();
}

/** Events are text: a character that is cut between two parts must come whole. */
async function* asText(iterator: PartIterator): AsyncGenerator<string> {
  const decode = textStream();
  try {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      const part = toPart(next.value);
      const text = typeof part === "string" ? part : decode(part);
      if (text !== "") yield text;
    }
  } finally {
    await giveUp(iterator);
  }
}

/** Tells a source that nobody reads it; what it throws then has no one left to interest. */
async function giveUp(iterator: PartIterator | undefined): Promise<void> {
  try {
    await iterator?.return?.();
  } catch {}
}
