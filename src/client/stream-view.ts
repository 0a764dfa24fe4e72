// One viewer's copy of the streams that a server publishes to a group: it puts the messages of the newest one together. It is a
// plain object: it has no connection, and costs nothing where it is not imported.

import type { StreamEnd, StreamMessage, StreamOutcome } from "../protocol/stream-message.ts";

/** Number of earlier streams whose messages are recognized when they come again. */
const MAX_PAST = 100;

const OUTCOMES: readonly StreamOutcome[] = ["done", "stopped", "failed", "lost"];

/** How far the stream of a `StreamView` has come. `waiting`: there was none yet. */
export type StreamViewState = "waiting" | "open" | StreamOutcome;

/** The stream messages of one group, put together: give it each message, and show `text` or `parts`. */
export class StreamView<Part = unknown> {
  /** Name of the newest stream; undefined before the first. */
  stream: string | undefined;
  /** How far it has come. */
  state: StreamViewState = "waiting";
  /** All of its text so far. */
  text = "";
  /** All of its parts so far that are not text. */
  parts: Part[] = [];
  /** The `info` of `publishStream`. */
  info: unknown;
  /** The code of the error, if the stream has failed. */
  code: string | undefined;
  /** False if messages of it are missing: the group's history did not reach back to them. */
  isWhole = true;
  /** Number of the next message. */
  #next = 0;
  /** True if messages were lost since it has begun: it may only seem to be lost. */
  #isReset = false;
  readonly #past = new Set<string>();

  /**
   * Takes a message: text, or a value that was JSON, also in the form that `ids: true` gives it. Returns true if it has changed the
   * view; false for one that was here before, and for one that is no stream message.
   */
  receive(message: unknown): boolean {
    const found = toStreamMessage<Part>(message);
    if (found === undefined || this.#past.has(found.stream)) return false;
    const { n } = found;
    if (found.stream !== this.stream) this.#begin(found.stream);
    else if (this.#hasEnded()) return false;
    else if (n !== undefined && n < this.#next) {
      const isBack = this.state === "lost";
      this.state = "open";
      return isBack;
    }
    // Another process tells an end without a number: only what is missing before the first message is known then.
    if (n === undefined ? this.#next === 0 : n > this.#next) this.isWhole = false;
    this.#next = (n ?? this.#next) + 1;
    this.state = "open";
    if ("begin" in found) this.info = found.info;
    else if ("text" in found) this.text += found.text;
    else if ("parts" in found) this.parts = [...this.parts, ...found.parts];
    else {
      this.state = found.end;
      this.code = found.code;
    }
    return true;
  }

  /**
   * Messages of the group are lost, for example because its server was started again (`connection.onReset`): a stream that has not
   * ended counts as lost, until a message of it comes, also one that was here before: the server still has it.
   */
  reset(): void {
    if (this.state === "open") this.state = "lost";
    this.#isReset = true;
  }

  #hasEnded(): boolean {
    return this.state !== "open" && !(this.state === "lost" && this.#isReset);
  }

  #begin(stream: string): void {
    if (this.stream !== undefined) this.#past.add(this.stream);
    const [oldest] = this.#past;
    if (this.#past.size > MAX_PAST) this.#past.delete(oldest!);
    this.stream = stream;
    this.text = "";
    this.parts = [];
    this.info = undefined;
    this.code = undefined;
    this.isWhole = true;
    this.#next = 0;
    this.#isReset = false;
  }
}

function toStreamMessage<Part>(message: unknown): StreamMessage<Part> | undefined {
  let value = message;
  if (typeof value === "string") {
    if (!value.startsWith("{")) return undefined;
    try {
      value = JSON.parse(value);
    } catch {
      return undefined;
    }
  }
  // Members with `ids` receive `{ group, id, data }`.
  if (isObject(value) && isObject(value["data"])) value = value["data"];
  if (!isObject(value) || typeof value["stream"] !== "string") return undefined;
  const { n, begin, text, parts, end } = value;
  const isNumbered = Number.isSafeInteger(n);
  if (isNumbered && (begin === true || typeof text === "string" || Array.isArray(parts))) {
    return value as unknown as StreamMessage<Part>;
  }
  const isEnd = OUTCOMES.includes(end as StreamOutcome) && (isNumbered || n === undefined);
  return isEnd ? (value as unknown as StreamEnd) : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
