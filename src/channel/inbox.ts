// Delivers received messages to the application one at a time, in arrival order, and then reports the end.
// Messages wait while the setup runs or a receiver's promise is pending. When too many wait, reading is paused.
// Long because receivers and loops take messages from the same queue, and each state has a rule for both.

import { linkStates } from "../base/linked-states.ts";
import { heldBytes } from "../base/memory-size.ts";
import { Queue } from "../base/queue.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import { IncomingRequest } from "../transport/requests.ts";
import type { Message } from "./channel.ts";
import type { RateGate } from "./rate-gate.ts";

/** Reading pauses when this many messages wait, or this many bytes. */
const MAX_WAITING_MESSAGES = 64;
const MAX_WAITING_BYTES = 65_536;

/**
 * - held: the setup has not settled; messages wait
 * - ready: a message is delivered when it arrives
 * - busy: a receiver's promise is pending; messages wait
 * - pulled: a `for await` loop takes the messages
 * - discardingBusy: the application has closed the channel while a receiver's promise is pending; messages are dropped
 * - discarding: the application has closed the channel; messages are dropped
 * - ended: the end was reported
 */
type StateName = "held" | "ready" | "busy" | "pulled" | "discardingBusy" | "discarding" | "ended";

/**
 * - release: the setup has settled
 * - call: a receiver has returned a promise
 * - settle: that promise has settled
 * - pull: a loop has asked for a message
 * - stop: the loop is over
 * - discard: the application has closed the channel
 * - end: all messages are delivered, and the transport has ended
 */
const STEPS = ["release", "call", "settle", "pull", "stop", "discard", "end"] as const;

/** Every move. A step that is missing in a state has no effect there. */
const MOVES: Record<StateName, Partial<Record<(typeof STEPS)[number], StateName>>> = {
  held: { release: "ready", pull: "pulled", discard: "discarding", end: "ended" },
  ready: { call: "busy", pull: "pulled", discard: "discarding", end: "ended" },
  busy: { settle: "ready", discard: "discardingBusy" },
  pulled: { stop: "ready", discard: "discarding", end: "ended" },
  discardingBusy: { settle: "discarding" },
  discarding: { call: "discardingBusy", end: "ended" },
  ended: {},
};

/** Linked: the two steps for each message of an async receiver cost 3 % of an echo otherwise. */
const STATES = linkStates(MOVES, STEPS);

type InboxState = (typeof STATES)[StateName];

/** Calls the application's receiver. A returned promise delays the next message. Never throws or rejects. */
export interface Receiver {
  receive(message: Message): Promise<void> | undefined;
}

/** A message, or a request in its order among the messages. */
type Item = Message | IncomingRequest;

/** The transport that the messages come from. */
export interface MessageSource {
  pause?(): void;
  resume?(): void;
  /** A message that had waited was handed to the application. */
  messageTaken?(): void;
}

export interface InboxOwner {
  /** All messages were delivered, and no more arrive. */
  inboxEnded(): void;
  /** A request has its turn. Nothing waits for its reply. */
  answer(request: IncomingRequest): void;
}

type Pull = (result: IteratorResult<Message, undefined>) => void;

const DONE: IteratorResult<Message, undefined> = { done: true, value: undefined };

export class Inbox {
  readonly #receiver: Receiver;
  readonly #source: MessageSource;
  /** Counts the bytes of memory that wait here. */
  readonly #budget: BufferBudget;
  readonly #owner: InboxOwner;
  /** Undefined if the rate of messages is not limited. */
  readonly gate: RateGate | undefined;
  #state: InboxState = STATES.held;
  /** True when the transport has ended: no more messages come. */
  #isComplete = false;
  #isReadingPaused = false;
  /** True while the session leaves this process: nothing more is handed to the application. */
  #isHeld = false;
  /** Undefined while nothing waits. */
  #waiting: Queue<Item> | undefined;
  #waitingBytes = 0;
  /** The message whose receiver, or loop, is not done with it. */
  #current: Message | undefined;
  /** Messages that were dropped because the application had closed the channel. */
  #undelivered = 0;
  /** True once the loop over the messages has ended: they are dropped from then on, and only requests have their turns. */
  #isLoopOver = false;
  /** Calls of `pull` without a message so far. Made by the first call. */
  #pulls: Queue<Pull> | undefined;

  constructor(receiver: Receiver, source: MessageSource, budget: BufferBudget, owner: InboxOwner, gate?: RateGate) {
    this.#receiver = receiver;
    this.#source = source;
    this.#budget = budget;
    this.#owner = owner;
    this.gate = gate;
  }

  /** Bytes of memory that wait here. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Messages that wait for the application. */
  get length(): number {
    return this.#waiting?.length ?? 0;
  }

  /** Messages that were not handed to the application: those that wait, and those that its close has dropped. */
  get undelivered(): number {
    return this.length + this.#undelivered;
  }

  get isPulled(): boolean {
    return this.#pulls !== undefined;
  }

  get #hasLoop(): boolean {
    return this.isPulled && !this.#isLoopOver;
  }

  get hasEnded(): boolean {
    return this.#state === STATES.ended;
  }

  /** True if the application is done with each message that it was handed. */
  get isIdle(): boolean {
    return this.#current === undefined;
  }

  accept(message: Message): void {
    if (this.#isComplete || this.#isLoopOver || this.#isDiscarding()) return;
    if (this.gate !== undefined) this.#acceptLimited(message, this.gate);
    else if (this.#state === STATES.ready && this.#waiting === undefined && !this.#isHeld) this.#deliver(message);
    else this.#acceptLater(message);
  }

  /** A request, in its order among the messages. It counts in the rates as a message does. */
  acceptRequest(request: IncomingRequest): void {
    if (this.#isComplete || this.#isDiscarding()) return;
    this.#undelivered += 1;
    if (this.gate?.refuses(request.data) === true) return;
    this.#undelivered -= 1;
    const isReady = this.#state === STATES.ready || (this.#state === STATES.pulled && this.#pulls!.length > 0);
    const isFree = isReady && this.#waiting === undefined && !this.#isHeld;
    if (isFree && this.#hasTurn(request.data)) this.#owner.answer(request);
    else this.#keep(request);
  }

  /** The turn of the first message that waits has come. */
  turnCame(): void {
    if (!this.#hasLoop) {
      this.#drain();
      return;
    }
    this.#answerPullsInTurn();
    this.#resumeIfRoom();
    this.#endIfDone();
  }

  /** The setup has settled: delivers the messages that were held. */
  release(): void {
    this.#moveTo(this.#state.release);
    this.#drain();
  }

  /** Drops the messages that wait and those that still arrive: the application has closed the channel. */
  discard(): void {
    this.#undelivered += this.length;
    this.#drop();
  }

  /** Hands no more messages to the application, which is told nothing: `takeAll` follows, or the end. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Hands over the messages with which the application is not done, to go on elsewhere. Later ones are dropped. */
  takeAll(): readonly Item[] {
    const messages: Item[] = this.#current === undefined ? [] : [this.#current];
    this.#undelivered += this.length;
    for (let next = this.#waiting?.shift(); next !== undefined; next = this.#waiting?.shift()) messages.push(next);
    this.#drop();
    this.#answerPulls();
    return messages;
  }

  /** Counts a message that arrived after the application had closed the channel. */
  refuse(): void {
    this.#undelivered += 1;
  }

  /** No more messages come. */
  end(): void {
    this.#isComplete = true;
    this.gate?.clientLeft();
    this.#dropIfTooLate();
    this.#endIfDone();
  }

  /** The next message, for a `for await` loop. */
  pull(): Promise<IteratorResult<Message, undefined>> {
    if (this.#isLoopOver) return Promise.resolve(DONE);
    this.#pulls ??= new Queue();
    this.#moveTo(this.#state.pull);
    this.#current = undefined;
    const message = this.#takeMessage();
    if (message !== undefined) {
      this.#current = message;
      this.#source.messageTaken?.();
      this.#resumeIfRoom();
      return Promise.resolve({ done: false, value: message });
    }
    this.#endIfDone();
    const isLast = this.#isComplete && (this.#waiting === undefined || this.#isHeld);
    if (isLast || this.#isDiscarding()) return Promise.resolve(DONE);
    return new Promise((resolve) => this.#pulls!.push(resolve));
  }

  /** The loop that pulled is over, and no other can follow it: the messages that it has not taken are dropped. */
  stopPulling(): void {
    if (this.hasEnded) return;
    this.#current = undefined;
    this.#isLoopOver = true;
    const requests = this.#waitingRequests();
    this.#dropWaiting();
    for (const request of requests) this.#keep(request);
    this.#moveTo(this.#state.stop);
    this.#answerPulls();
    this.#drain();
  }

  #waitingRequests(): readonly IncomingRequest[] {
    const requests: IncomingRequest[] = [];
    for (let item = this.#waiting?.shift(); item !== undefined; item = this.#waiting?.shift())
      if (item instanceof IncomingRequest) requests.push(item);
    return requests;
  }

  #drop(): void {
    this.#dropWaiting();
    this.#moveTo(this.#state.discard);
    this.#resumeIfRoom();
  }

  #dropWaiting(): void {
    this.#waiting = undefined;
    this.#hold(0);
    this.gate?.reset();
  }

  /** The client has left, and its messages come faster than they may: those whose turn is too far away are dropped. */
  #dropIfTooLate(): void {
    if (!this.#isComplete || this.gate?.isTooLate !== true) return;
    const count = this.length;
    this.#undelivered += count;
    this.#dropWaiting();
    this.gate.dropped += count;
  }

  #acceptLimited(message: Message, gate: RateGate): void {
    // Counted first: what is refused is not acknowledged, also if the channel is closed for it.
    this.#undelivered += 1;
    if (gate.refuses(message)) return;
    this.#undelivered -= 1;
    const isFree = this.#state === STATES.ready && this.#waiting === undefined && !this.#isHeld;
    if (isFree && gate.hasTurn(message)) this.#deliver(message);
    else this.#acceptLater(message);
  }

  #hasTurn(message: Message): boolean {
    return this.gate === undefined || this.gate.hasTurn(message);
  }

  #acceptLater(message: Message): void {
    const isAwaited = this.#pulls !== undefined && this.#pulls.length > 0 && this.#waiting === undefined;
    if (isAwaited && !this.#isHeld && this.#hasTurn(message)) {
      this.#current = message;
      this.#pulls!.shift()!({ done: false, value: message });
      return;
    }
    this.#keep(message);
  }

  #keep(item: Item): void {
    this.#waiting ??= new Queue();
    this.#waiting.push(item);
    this.#hold(this.#waitingBytes + sizeOf(item));
    if (this.#isReadingPaused || this.#hasRoom()) return;
    this.#isReadingPaused = true;
    this.#source.pause?.();
  }

  /** The next item, if it may be handed over now. */
  #takeInTurn(): Item | undefined {
    if (this.#isHeld) return undefined;
    if (this.gate !== undefined) {
      const first = this.#waiting?.at(0);
      if (first !== undefined && !this.gate.hasTurn(dataOf(first))) {
        this.#dropIfTooLate();
        return undefined;
      }
    }
    return this.#take();
  }

  #take(): Item | undefined {
    const item = this.#waiting?.shift();
    if (item === undefined) return undefined;
    if (this.#waiting!.length === 0) this.#waiting = undefined;
    this.#hold(this.#waitingBytes - sizeOf(item));
    return item;
  }

  /** The next message, for a loop. The requests before it have their turn. */
  #takeMessage(): Message | undefined {
    for (let item = this.#takeInTurn(); item !== undefined; item = this.#takeInTurn()) {
      if (!(item instanceof IncomingRequest)) return item;
      this.#owner.answer(item);
      this.#source.messageTaken?.();
    }
    return undefined;
  }

  #hold(bytes: number): void {
    this.#budget.change(this.#waitingBytes, bytes);
    this.#waitingBytes = bytes;
  }

  #drain(): void {
    while (this.#state === STATES.ready) {
      const item = this.#takeInTurn();
      if (item === undefined) break;
      if (item instanceof IncomingRequest) this.#owner.answer(item);
      else this.#deliver(item);
      this.#source.messageTaken?.();
    }
    this.#resumeIfRoom();
    this.#endIfDone();
  }

  #deliver(message: Message): void {
    const received = this.#receiver.receive(message);
    if (received === undefined) return;
    this.#moveTo(this.#state.call);
    this.#current = message;
    void received.then(() => {
      this.#current = undefined;
      this.#moveTo(this.#state.settle);
      if (this.#hasLoop) this.#turnToPulls();
      this.#drain();
    });
  }

  /** A loop has begun to pull while a receiver's promise was pending. */
  #turnToPulls(): void {
    this.#moveTo(this.#state.pull);
    this.#answerPullsInTurn();
  }

  #answerPullsInTurn(): void {
    while (this.#pulls!.length > 0) {
      const message = this.#takeMessage();
      if (message === undefined) return;
      this.#current = message;
      this.#pulls!.shift()!({ done: false, value: message });
      this.#source.messageTaken?.();
    }
  }

  #isDiscarding(): boolean {
    return this.#state === STATES.discarding || this.#state === STATES.discardingBusy;
  }

  #hasRoom(): boolean {
    return this.length < MAX_WAITING_MESSAGES && this.#waitingBytes < MAX_WAITING_BYTES;
  }

  #resumeIfRoom(): void {
    if (!this.#isReadingPaused || !this.#hasRoom()) return;
    this.#isReadingPaused = false;
    this.#source.resume?.();
  }

  #endIfDone(): void {
    if (!this.#isComplete || this.#waiting !== undefined || !this.#moveTo(this.#state.end)) return;
    this.#answerPulls();
    this.#owner.inboxEnded();
  }

  #answerPulls(): void {
    for (let pull = this.#pulls?.shift(); pull !== undefined; pull = this.#pulls?.shift()) pull(DONE);
  }

  /** `state`: the state after a step. False if the step has no effect: there is none. */
  #moveTo(state: InboxState | undefined): boolean {
    if (state === undefined) return false;
    this.#state = state;
    return true;
  }
}

function sizeOf(item: Item): number {
  return heldBytes(dataOf(item));
}

function dataOf(item: Item): Message {
  return item instanceof IncomingRequest ? item.data : item;
}
