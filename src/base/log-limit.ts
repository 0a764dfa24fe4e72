// Limits the log lines that clients can cause: a few bytes from a client must not become a kilobyte of log each time. Every
// line has a kind. The first lines of each kind in a window are written, the others are counted, and their number is written
// when the window ends.

import type { Clock, Timer } from "./clock.ts";
import { ChannelError } from "./errors.ts";

const WINDOW_MS = 10_000;
/** Lines of one kind in a window. */
const MAX_OF_KIND = 10;
/** Lines of all kinds in a window: the text of an error may come from the client, and each text is a kind. */
const MAX_LINES = 100;
const MAX_KINDS = 100;
/** Characters of an error's text that tell its kind. */
const MAX_KIND_CHARS = 120;

/** `kind`: as in `admits`. `count`: number of lines that were not written. */
export type LeftOut = (kind: string, count: number, windowMs: number) => void;

export class LogLimit {
  readonly #clock: Clock;
  readonly #tell: LeftOut;
  readonly #counts = new Map<string, { written: number; leftOut: number }>();
  #lines = 0;
  #windowEnd = Number.NEGATIVE_INFINITY;
  /** Set while lines were left out and their number was not written yet. */
  #timer: Timer | undefined;

  /** `tell` writes how many lines were left out. It must not throw. */
  constructor(clock: Clock, tell: LeftOut) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Returns true if the line may be written; otherwise the line is counted. */
  admits(kind: string): boolean {
    const now = this.#clock.now();
    if (now >= this.#windowEnd) {
      this.flush();
      this.#windowEnd = now + WINDOW_MS;
    }
    const key = this.#counts.has(kind) || this.#counts.size < MAX_KINDS ? kind : "other kinds";
    let count = this.#counts.get(key);
    if (count === undefined) {
      count = { written: 0, leftOut: 0 };
      this.#counts.set(key, count);
    }
    if (count.written < MAX_OF_KIND && this.#lines < MAX_LINES) {
      count.written += 1;
      this.#lines += 1;
      return true;
    }
    count.leftOut += 1;
    this.#timer ??= this.#clock.setTimer(() => this.flush(), this.#windowEnd - now);
    return false;
  }

  /** Ends the window and writes how many lines were left out in it. */
  flush(): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#windowEnd = Number.NEGATIVE_INFINITY;
    this.#lines = 0;
    const counts = [...this.#counts];
    this.#counts.clear();
    for (const [kind, { leftOut }] of counts) if (leftOut > 0) this.#tell(kind, leftOut, WINDOW_MS);
  }
}

/** Returns the kind of a line about an error: its code, or its name with the beginning of its text. Never throws. */
export function kindOf(error: unknown): string {
  try {
    if (error instanceof ChannelError) return error.code;
    if (error instanceof Error) return `${error.name}: ${error.message}`.slice(0, MAX_KIND_CHARS);
    return typeof error === "string" ? error.slice(0, MAX_KIND_CHARS) : typeof error;
  } catch {
    return "an error that cannot be read";
  }
}
