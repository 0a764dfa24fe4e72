// Messages on their way to the application: one at a time, in arrival order, and the end after the last.
// While setup runs they are held; while a receiver's promise is pending they wait; when too many wait, reading pauses.

import { memorySize } from "../base/memory-size.ts";
import { Queue } from "../base/queue.ts";
import type { Message } from "./channel.ts";

/** What waits may be this many messages, or this many bytes, before reading pauses. */
const MAX_WAITING_MESSAGES = 64;
const MAX_WAITING_BYTES = 65_536;

/** Least size that a waiting message is counted with: keeping an empty one costs memory, too. */
const MIN_WAITING_SIZE = 64;

export interface InboxOwner {
  /** Hands one message to the application. A returned promise holds back the next one. Never throws or rejects. */
  deliver(message: Message): Promise<void> | undefined;
  pauseReading(): void;
  resumeReading(): void;
  /** The bytes of memory that wait here have changed. */
  inboxHolds(before: number, after: number): void;
  /** A message that had waited was handed to the application. */
  messageTaken?(): void;
  /** Everything was delivered and nothing more comes. */
  inboxEnded(): void;
}

type Pull = (result: IteratorResult<Message, undefined>) => void;

export class Inbox {
  readonly #owner: InboxOwner;
  /** Undefined while nothing waits. */
  #waiting: Queue<Message> | undefined;
  #waitingBytes = 0;
  #isHeld = true;
  #isBusy = false;
  #isPaused = false;
  /** The application has closed the channel: nothing more is delivered, but the transport's end is still to come. */
  #isDiscarding = false;
  #isEnding = false;
  #isEnded = false;
  /** Set once the application pulls; messages then go to those who wait, not to the receiver. */
  #pulls: Queue<Pull> | undefined;

  constructor(owner: InboxOwner) {
    this.#owner = owner;
  }

  /** Bytes of memory that wait here. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Messages that wait for the application. */
  get length(): number {
    return this.#waiting?.length ?? 0;
  }

  get isPulled(): boolean {
    return this.#pulls !== undefined;
  }

  accept(message: Message): void {
    if (this.#isDiscarding || this.#isEnding) return;
    if (this.#pulls !== undefined) this.#give(message);
    else if (this.#isHeld || this.#isBusy || this.#waiting !== undefined) this.#wait(message);
    else this.#deliver(message);
  }

  /** Setup is over: what was held is delivered. */
  release(): void {
    this.#isHeld = false;
    this.#drain();
  }

  /** Nothing that waits is delivered any more: the application has closed the channel. */
  discard(): void {
    this.#waiting = undefined;
    this.#hold(0);
    this.#isDiscarding = true;
    this.#resumeIfRoom();
  }

  /** No more messages come; when the last was delivered the owner is told, once. */
  end(): void {
    this.#isEnding = true;
    this.#endIfDone();
  }

  /** The next message, for a `for await` loop. */
  pull(): Promise<IteratorResult<Message, undefined>> {
    this.#pulls ??= new Queue();
    const message = this.#take();
    if (message !== undefined) {
      this.#owner.messageTaken?.();
      this.#resumeIfRoom();
      return Promise.resolve({ done: false, value: message });
    }
    this.#endIfDone();
    if (this.#isDiscarding || this.#isEnding) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#pulls!.push(resolve));
  }

  /**
   * The loop that pulled has ended, and no other one can take its place: what waits, and what still comes, is dropped, so that
   * the end is seen.
   */
  stopPulling(): void {
    if (this.#isEnded) return;
    this.discard();
    for (let pull = this.#pulls?.shift(); pull !== undefined; pull = this.#pulls?.shift()) {
      pull({ done: true, value: undefined });
    }
    this.#endIfDone();
  }

  #give(message: Message): void {
    const pull = this.#pulls!.shift();
    if (pull === undefined) this.#wait(message);
    else pull({ done: false, value: message });
  }

  #wait(message: Message): void {
    this.#waiting ??= new Queue();
    this.#waiting.push(message);
    this.#hold(this.#waitingBytes + sizeOf(message));
    if (this.#isPaused || this.#hasRoom) return;
    this.#isPaused = true;
    this.#owner.pauseReading();
  }

  #take(): Message | undefined {
    const message = this.#waiting?.shift();
    if (message === undefined) return undefined;
    if (this.#waiting!.length === 0) this.#waiting = undefined;
    this.#hold(this.#waitingBytes - sizeOf(message));
    return message;
  }

  #hold(bytes: number): void {
    this.#owner.inboxHolds(this.#waitingBytes, bytes);
    this.#waitingBytes = bytes;
  }

  #drain(): void {
    while (!this.#isHeld && !this.#isBusy && this.#pulls === undefined) {
      const message = this.#take();
      if (message === undefined) break;
      this.#deliver(message);
      this.#owner.messageTaken?.();
    }
    this.#resumeIfRoom();
    this.#endIfDone();
  }

  #deliver(message: Message): void {
    const done = this.#owner.deliver(message);
    if (done === undefined) return;
    this.#isBusy = true;
    void done.then(() => {
      this.#isBusy = false;
      this.#drain();
    });
  }

  get #hasRoom(): boolean {
    return (this.#waiting?.length ?? 0) < MAX_WAITING_MESSAGES && this.#waitingBytes < MAX_WAITING_BYTES;
  }

  #resumeIfRoom(): void {
    if (!this.#isPaused || !this.#hasRoom) return;
    this.#isPaused = false;
    this.#owner.resumeReading();
  }

  #endIfDone(): void {
    if (!this.#isEnding || this.#isEnded || this.#isBusy || this.#waiting !== undefined) return;
    this.#isEnded = true;
    for (const pull of this.#pulls ?? []) pull({ done: true, value: undefined });
    this.#owner.inboxEnded();
  }
}

function sizeOf(message: Message): number {
  return Math.max(memorySize(message), MIN_WAITING_SIZE);
}
