// The connection of a process to the hub, which is opened again whenever it is lost. Calls leave together at the end of the turn. A
// call that was reported as failed is not sent later, and nothing piles up while the hub is away.

import type { Clock, Timer } from "../../base/clock.ts";
import { unavailable } from "../unavailable.ts";
import { type FieldReader, type Frame, FrameDecoder, FrameWriter } from "./frame.ts";
import type { HubSocket } from "./hub-socket.ts";
import { CALL, type CallKind, PROTOCOL_VERSION, REPLY } from "./kinds.ts";

export interface HubLinkOptions {
  readonly clock: Clock;
  /** Begins to connect. */
  readonly connect: () => HubSocket;
  /** The number of this worker, by which the hub knows what ends with it. */
  readonly worker: number;
  /** Time to wait for an answer, in milliseconds. Then the connection is given up, and with it all calls without an answer. */
  readonly timeoutMs: number;
  /** Bytes of calls that may wait for their answers; further calls are refused. */
  readonly maxPendingBytes: number;
  /** The hub has answered the hello: what it says here it says before all other calls. */
  readonly onUp?: () => void;
  /** An entry or a gap of a subscription. */
  readonly onNews?: (frame: Frame) => void;
  /** Called once each time that the hub goes away. */
  readonly onError: (error: unknown) => void;
}

export interface CallOptions {
  /** Bytes of the fields, about. 0: the call is made however many bytes wait. @default 100 */
  readonly bytes?: number;
  /** Receives the fields of each part of a long answer. */
  readonly part?: (fields: FieldReader) => void;
}

/** The calls that leave together. */
interface Batch {
  /** Time of the first call; when they have left, that time. A busy process may write them long after it has made them. */
  since: number;
}

interface Waiting {
  readonly batch: Batch;
  readonly bytes: number;
  readonly part: ((fields: FieldReader) => void) | undefined;
  readonly answer: (fields: FieldReader) => void;
  readonly reject: (error: unknown) => void;
}

const CALL_BYTES = 100;
const FIRST_RETRY_MS = 20;
const MAX_RETRY_MS = 1000;

export class HubLink {
  readonly #options: HubLinkOptions;
  /** Resolves when the first attempt has succeeded or failed. Calls that are made before wait for it. */
  readonly firstAttempt: Promise<void>;
  #attempted!: () => void;
  /** Identifies the hub: see `HubState.epoch`. */
  epoch = 0;
  isUp = false;
  #socket: HubSocket | undefined;
  #decoder = new FrameDecoder();
  #writer = new FrameWriter();
  #isClosed = false;
  /** The calls of this turn, which have not left. */
  #batch: Batch | undefined;
  #retries = 0;
  #retryTimer: Timer;
  /** By number, the oldest call first. */
  readonly #waiting = new Map<number, Waiting>();
  #waitingBytes = 0;
  #lastNumber = 0;
  #watch: Timer;
  /** The call that `#watch` found overdue when it fired last. */
  #overdue: Waiting | undefined;

  constructor(options: HubLinkOptions) {
    this.#options = options;
    this.firstAttempt = new Promise((resolve) => {
      this.#attempted = resolve;
    });
    this.#connect();
  }

  /** Makes a call. `write` writes its fields, `read` reads those of the answer. Rejects with BACKPLANE_UNAVAILABLE. */
  call<T>(
    kind: CallKind,
    write: (writer: FrameWriter) => unknown,
    read: (fields: FieldReader) => T,
    { bytes = CALL_BYTES, part }: CallOptions = {},
  ): Promise<T> {
    if (!this.isUp) return Promise.reject(unavailable("not connected"));
    const isTooMuch = bytes > 0 && this.#waitingBytes + bytes > this.#options.maxPendingBytes;
    if (isTooMuch && this.#waiting.size > 0) return Promise.reject(unavailable("too much waits for its answer"));
    return this.#send(kind, write, read, bytes, part);
  }

  /** Ends the connection for good. */
  close(): void {
    this.#isClosed = true;
    this.#options.clock.clearTimer(this.#retryTimer);
    this.#drop("closed");
  }

  #send<T>(
    kind: CallKind,
    write: (writer: FrameWriter) => unknown,
    read: (fields: FieldReader) => T,
    bytes: number,
    part?: (fields: FieldReader) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const { clock, timeoutMs } = this.#options;
      const answer = (fields: FieldReader): void => resolve(read(fields));
      const number = this.#nextNumber();
      if (this.#batch === undefined) {
        this.#batch = { since: clock.now() };
        setImmediate(this.#flush);
      }
      this.#waiting.set(number, { batch: this.#batch, bytes, part, answer, reject });
      this.#waitingBytes += bytes;
      this.#watch ??= clock.setTimer(this.#onWatch, timeoutMs);
      write(this.#writer.begin(kind, number));
      this.#writer.end();
    });
  }

  readonly #flush = (): void => {
    this.#batch!.since = this.#options.clock.now();
    this.#batch = undefined;
    if (this.#writer.length > 0) this.#socket?.write(this.#writer.take());
  };

  #nextNumber(): number {
    do this.#lastNumber = (this.#lastNumber + 1) >>> 0;
    while (this.#waiting.has(this.#lastNumber));
    return this.#lastNumber;
  }

  #connect(): void {
    const { connect, worker } = this.#options;
    const socket = connect();
    const lost = (error: unknown): void => this.#lost(socket, error);
    this.#socket = socket;
    this.#decoder = new FrameDecoder();
    this.#writer = new FrameWriter();
    socket.on("data", (bytes) => this.#received(socket, bytes));
    socket.on("error", lost);
    socket.on("close", () => lost("the connection has ended"));
    const hello = this.#send(
      CALL.HELLO,
      (writer) => writer.number(PROTOCOL_VERSION).number(worker),
      (fields) => this.#greeted(fields.number()),
      0,
    );
    // The loss is reported by `lost`.
    hello.catch(() => {});
  }

  #greeted(epoch: number): void {
    this.#retries = 0;
    this.epoch = epoch;
    this.isUp = true;
    this.#options.onUp?.();
    this.#attempted();
  }

  #received(socket: HubSocket, bytes: Uint8Array): void {
    if (this.#socket !== socket) return;
    try {
      this.#decoder.push(bytes);
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        this.#take(frame);
        // A listener may have closed it.
        if (this.#socket !== socket) return;
      }
    } catch (error) {
      this.#lost(socket, error);
    }
  }

  #take(frame: Frame): void {
    const { kind, number, fields } = frame;
    if (kind === REPLY.ENTRY || kind === REPLY.GAP) {
      this.#options.onNews?.(frame);
      return;
    }
    const waiting = this.#waiting.get(number);
    if (waiting === undefined || (kind !== REPLY.ANSWER && kind !== REPLY.PART)) {
      throw unavailable(`a frame of the kind ${kind} that nobody waits for`);
    }
    if (kind === REPLY.PART) {
      waiting.part?.(fields);
      return;
    }
    // Before it counts as answered: if its fields are malformed, it is rejected with all others.
    waiting.answer(fields);
    this.#waiting.delete(number);
    this.#waitingBytes -= waiting.bytes;
  }

  #lost(socket: HubSocket, error: unknown): void {
    if (this.#socket !== socket || this.#isClosed) return;
    if (this.#retries === 0) this.#options.onError(unavailable(error));
    this.#drop(error);
    const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#retries++);
    // A random delay, so that not all processes come back at once.
    this.#retryTimer = this.#options.clock.setTimer(() => this.#connect(), delayMs * (0.5 + Math.random() / 2));
  }

  #drop(cause: unknown): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.isUp = false;
    this.#attempted();
    socket?.destroy();
    for (const { reject } of this.#waiting.values()) reject(unavailable(cause));
    this.#waiting.clear();
    this.#waitingBytes = 0;
    this.#options.clock.clearTimer(this.#watch);
    this.#watch = undefined;
  }

  /**
   * One timer for all calls: it checks the oldest one and is set again for the time at which that one is due. A process that was
   * busy has not read yet what arrived meanwhile; it reads between the first check that finds the call overdue and the second.
   */
  readonly #onWatch = (): void => {
    this.#watch = undefined;
    const oldest = this.#waiting.values().next().value;
    const overdue = this.#overdue;
    this.#overdue = undefined;
    if (oldest === undefined) return;
    const { clock, timeoutMs } = this.#options;
    const leftMs = oldest.batch.since + timeoutMs - clock.now();
    if (leftMs <= 0) this.#overdue = oldest;
    if (leftMs > 0 || overdue !== oldest) this.#watch = clock.setTimer(this.#onWatch, Math.max(leftMs, 1));
    else if (this.#socket !== undefined) this.#lost(this.#socket, `no answer in ${timeoutMs} ms`);
  };
}
