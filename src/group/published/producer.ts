// One stream that this process publishes: it reads the source, joins its parts to messages, and publishes one message at a time.
// A message that may not have been published is published again under its number, so that viewers recognize a repetition.

import type { Clock, Timer } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import { guardHandler, inspectable } from "../../base/guard.ts";
import { pause } from "../../base/pause.ts";
import { type Moves, StateMachine } from "../../base/state-machine.ts";
import type { StreamBody } from "../../channel/body.ts";
import { discardBody, openSource, type Source } from "../../channel/source.ts";
import type { StreamMessage, StreamOutcome } from "../../protocol/stream-message.ts";
import { PartBuffer } from "./part-buffer.ts";
import { checkMade, type PartSource, type Parts, type StreamResult } from "./publish-stream.ts";

/** Time for which a message is published again while the broker does not confirm it. */
const RETRY_MS = 30_000;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 4000;
/** Parts, and characters of them, after which other work of the process gets a turn. */
const TURN_PARTS = 1000;
const TURN_SIZE = 64 * 1024;

export interface ProducerOptions {
  readonly clock: Clock;
  readonly stream: string;
  readonly info: unknown;
  readonly coalesceMs: number;
  /** Publishes a message. Rejects with BACKPLANE_UNAVAILABLE if it is not known whether it was published. */
  publish(message: StreamMessage): Promise<unknown>;
}

/**
 * waiting   the group may have another stream: nothing is published. It ends here if it is refused
 * reading   the source is read
 * ending    the source has ended or was cancelled; the parts that wait and the end are published
 * ended     the end was published, or cannot be
 */
type State = "waiting" | "reading" | "ending" | "ended";

const MOVES: Moves<State> = { waiting: ["reading", "ended"], reading: ["ending"], ending: ["ended"], ended: [] };

interface Ending {
  readonly end: StreamOutcome;
  readonly error?: unknown;
}

export class Producer {
  /** Resolves when the stream is over. Never rejects. */
  readonly result: Promise<StreamResult>;
  readonly #options: ProducerOptions;
  readonly #state = new StateMachine("a published stream", MOVES, "waiting");
  readonly #buffer = new PartBuffer();
  readonly #stopping = new AbortController();
  #settle!: (result: StreamResult) => void;
  #source: Source | undefined;
  #ending: Ending | undefined;
  /** Number of the next message. */
  #n = 0;
  #isPulling = false;
  /** Parts, and characters of text or JSON, that were read since other work of the process had a turn. */
  #readParts = 0;
  #readSize = 0;
  #isPublishing = false;
  #timer: Timer;
  #publishedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.result = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get stream(): string {
    return this.#options.stream;
  }

  /** Publishes the beginning and reads the source. Called once. */
  begin(source: PartSource<unknown>): void {
    if (!this.#state.tryMoveTo("reading")) {
      discardParts(source);
      return;
    }
    const { stream, info } = this.#options;
    const isPublishing = this.#publish({
      stream,
      n: this.#next(),
      begin: true,
      ...(info === undefined ? {} : { info }),
    });
    void isPublishing.then(() => this.#schedule());
    void this.#open(source, isPublishing);
    if (this.#ending !== undefined) this.#end(this.#ending);
  }

  /** The group has another stream, or the broker does not answer: it never begins. */
  refuse(source: PartSource<unknown>, error: unknown): void {
    discardParts(source);
    this.#ending = { end: "failed", error };
    this.#over();
  }

  /** Ends the stream before its source has ended. Does nothing if it is ending. */
  stop(end: "stopped" | "lost"): void {
    this.#end(end === "lost" ? { end, error: new ChannelError("STREAM_LOST", "its process stops") } : { end });
  }

  /** Another process has told that the stream is lost, so nothing more of it is published. */
  abandon(): void {
    this.#state.tryMoveTo("ending");
    this.#ending = { end: "lost", error: new ChannelError("STREAM_LOST", "this process was away for too long") };
    this.#cancel();
    this.#over();
  }

  async #open(source: PartSource<unknown>, isPublishing: Promise<void>): Promise<void> {
    let parts: Parts<unknown> | undefined;
    try {
      parts = typeof source === "function" ? await made(source, this.#stopping.signal) : source;
      if (typeof source === "function") checkMade(parts);
      await isPublishing;
      if (this.#state.is("reading")) {
        this.#source = openSource(parts as StreamBody, "body");
        this.#pull();
      } else discardBody(parts);
    } catch (error) {
      if (parts !== undefined) discardBody(parts);
      this.#end({ end: "failed", error: inspectable(error) });
    }
  }

  #pull(): void {
    if (this.#isPulling || !this.#state.is("reading") || this.#buffer.isFull) return;
    this.#isPulling = true;
    void this.#read(this.#source!);
  }

  async #read(source: Source): Promise<void> {
    try {
      const { done, value } = await source.next();
      this.#isPulling = false;
      if (!this.#state.is("reading")) return;
      if (done === true) this.#end({ end: "done" });
      else {
        this.#readParts += 1;
        this.#readSize += this.#buffer.push(value);
        this.#schedule();
        if (this.#readParts < TURN_PARTS && this.#readSize < TURN_SIZE) this.#pull();
        else this.#pullLater();
      }
    } catch (error) {
      this.#isPulling = false;
      this.#end({ end: "failed", error: inspectable(error) });
    }
  }

  /** A source that has each part at once would keep the process from everything else: without a broker nothing waits. */
  #pullLater(): void {
    this.#isPulling = true;
    setImmediate(() => {
      this.#isPulling = false;
      this.#readParts = 0;
      this.#readSize = 0;
      this.#pull();
    });
  }

  #end(ending: Ending): void {
    if (this.#state.is("waiting")) this.#ending ??= ending;
    if (!this.#state.tryMoveTo("ending")) return;
    this.#ending = ending;
    if (ending.end !== "done") this.#cancel();
    this.#schedule();
  }

  #cancel(): void {
    this.#source?.cancel();
    this.#stopping.abort();
  }

  /** Plans the next message: at once if it is the last or has its full size. */
  #schedule(): void {
    if (this.#isPublishing || this.#state.is("ended")) return;
    const { clock, coalesceMs } = this.#options;
    if (this.#state.is("ending") || this.#buffer.hasMessage) {
      clock.clearTimer(this.#timer);
      this.#timer = undefined;
      void this.#publishNext();
    } else if (this.#timer === undefined && !this.#buffer.isEmpty) {
      const waitMs = Math.max(0, this.#publishedAt + coalesceMs - clock.now());
      this.#timer = clock.setTimer(() => {
        this.#timer = undefined;
        if (!this.#isPublishing) void this.#publishNext();
      }, waitMs);
    }
  }

  async #publishNext(): Promise<void> {
    const { stream } = this.#options;
    const parts = this.#buffer.take();
    const ending = this.#ending;
    if (parts !== undefined) {
      await this.#publish({ stream, n: this.#next(), ...parts });
      this.#publishedAt = this.#options.clock.now();
      this.#pull();
    } else if (ending !== undefined) {
      const code = codeOf(ending);
      await this.#publish({ stream, n: this.#next(), end: ending.end, ...(code === undefined ? {} : { code }) });
      this.#over();
    }
    this.#schedule();
  }

  /** Publishes a message, again and again while it is not known whether it was. Ends the stream if that fails. Never rejects. */
  async #publish(message: StreamMessage): Promise<void> {
    const { clock, publish } = this.#options;
    const untilMs = clock.now() + RETRY_MS;
    this.#isPublishing = true;
    for (let attempt = 0; !this.#state.is("ended"); attempt++) {
      try {
        await publish(message);
        break;
      } catch (error) {
        const isUnknown = error instanceof ChannelError && error.code === "BACKPLANE_UNAVAILABLE";
        const waitMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt);
        if (!isUnknown || clock.now() + waitMs > untilMs) {
          this.#publishFailed(inspectable(error), message);
          break;
        }
        await pause(clock, waitMs);
      }
    }
    this.#isPublishing = false;
  }

  #publishFailed(error: unknown, message: StreamMessage): void {
    this.#end({ end: "failed", error });
    // The parts behind a message that is missing are of no use.
    while (this.#buffer.take() !== undefined);
    if (this.#ending?.end !== "failed") this.#ending = { end: "failed", error };
    if ("end" in message) this.#over();
  }

  #over(): void {
    if (!this.#state.tryMoveTo("ended")) return;
    this.#options.clock.clearTimer(this.#timer);
    this.#settle({ stream: this.stream, ...this.#ending! });
  }

  #next(): number {
    this.#n += 1;
    return this.#n - 1;
  }
}

/** The parts that a function of the application makes. */
function made(
  source: Extract<PartSource<unknown>, (signal: AbortSignal) => unknown>,
  signal: AbortSignal,
): Promise<Parts<unknown>> {
  return new Promise((resolve, reject) => {
    guardHandler(
      source,
      signal,
      (_, parts) => resolve(parts),
      (_, error) => reject(error),
    );
  });
}

/** The code that viewers get. The text of an error stays here. */
function codeOf({ end, error }: Ending): string | undefined {
  if (end !== "failed") return undefined;
  return error instanceof ChannelError ? error.code : "STREAM_FAILED";
}

/** Cancels a source that is not read. A function was not called. */
function discardParts(source: PartSource<unknown>): void {
  if (typeof source !== "function") discardBody(source);
}
