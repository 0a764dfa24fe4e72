// One connection of a process at the hub: decodes its calls, and writes answers and entries, once per turn.
//
// The memory for a process that does not read is bounded. When `MAX_UNSENT_BYTES` wait for it, its subscriptions fall behind: no
// entry is written for them until it has read, and then they go on from the group's history. The process is told a gap where the
// history has dropped entries meanwhile. Long answers are written in parts, as fast as they are read.

import { Queue } from "../../base/queue.ts";
import { unavailable } from "../unavailable.ts";
import type { Caller, EndableSubscription, Pouring } from "./caller.ts";
import { type Frame, FrameDecoder, FrameWriter } from "./frame.ts";
import { answerCall } from "./hub-calls.ts";
import type { HubSocket } from "./hub-socket.ts";
import type { HubState } from "./hub-state.ts";
import { CALL, PROTOCOL_VERSION } from "./kinds.ts";

/** Unsent bytes with which subscriptions fall behind: 8 MiB. */
export const MAX_UNSENT_BYTES: number = 8 * 1024 * 1024;

/** Unsent bytes up to which parts of long answers, and entries of subscriptions that are behind, are written. */
const POUR_BYTES = 1024 * 1024;

/** Long answers that wait; with more of them the hub reads no further calls. */
const MAX_ANSWERS = 64;

export class HubConnection implements Caller {
  readonly state: HubState;
  readonly writer: FrameWriter = new FrameWriter();
  readonly subscriptions: Map<number, EndableSubscription> = new Map();
  readonly #socket: HubSocket;
  readonly #onEnd: () => void;
  readonly #decoder = new FrameDecoder();
  readonly #pouring = new Queue<Pouring>();
  #worker: number | undefined;
  #unsent = 0;
  #isScheduled = false;
  #isPaused = false;
  #hasEnded = false;

  constructor(socket: HubSocket, state: HubState, onEnd: () => void) {
    this.#socket = socket;
    this.state = state;
    this.#onEnd = onEnd;
    socket.on("data", (bytes) => this.#received(bytes));
    // "close" follows.
    socket.on("error", () => {});
    socket.on("close", () => this.#ended());
  }

  get worker(): number {
    return this.#worker ?? 0;
  }

  get isFull(): boolean {
    return this.#unsent + this.writer.length > MAX_UNSENT_BYTES;
  }

  flushLater(): void {
    if (this.#isScheduled || this.#hasEnded) return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  answerInParts(answer: Pouring): void {
    this.catchUp(answer);
    if (this.#pouring.length <= MAX_ANSWERS || this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  catchUp(subscription: Pouring): void {
    this.#pouring.push(subscription);
    this.flushLater();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #received(bytes: Buffer): void {
    if (this.#hasEnded) return;
    try {
      this.#decoder.push(bytes);
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) this.#call(frame);
    } catch {
      // A process of another version, or one that is no process of ours: it is told by the end of its connection.
      this.destroy();
      this.#ended();
    }
  }

  #call(frame: Frame): void {
    if (this.#worker === undefined) this.#greet(frame);
    answerCall(this, frame);
    this.flushLater();
  }

  #greet({ kind, fields }: Frame): void {
    if (kind !== CALL.HELLO) throw unavailable("a call before the hello");
    const version = fields.number();
    if (version !== PROTOCOL_VERSION) throw unavailable(`version ${version} of the protocol of the hub`);
    this.#worker = fields.number();
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    if (this.#hasEnded) return;
    this.#pour();
    const { length } = this.writer;
    if (length === 0) return;
    this.#unsent += length;
    this.#socket.write(this.writer.take(), () => {
      this.#unsent -= length;
      if (this.#pouring.length > 0) this.flushLater();
    });
  };

  #pour(): void {
    while (this.#unsent + this.writer.length < POUR_BYTES) {
      const next = this.#pouring.at(0);
      if (next === undefined) break;
      if (next.pour()) this.#pouring.shift();
    }
    if (!this.#isPaused || this.#pouring.length > 0) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  #ended(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.subscriptions.clear();
    this.#pouring.clear();
    this.state.broker.drop(this);
    this.#onEnd();
  }
}
