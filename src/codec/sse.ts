// Server-Sent Events, both ways: WHATWG HTML §9.2, "Server-sent events". Also runs in browsers.

import { show } from "../base/bad-option.ts";
import { textStream } from "../base/bytes.ts";
import { ChannelError } from "../base/channel-error.ts";

export interface EventFields {
  readonly data?: string;
  readonly event?: string;
  readonly id?: string;
  /** Milliseconds that the client waits before it connects again. */
  readonly retry?: number;
}

export interface TypedEvent {
  /** "message" unless the stream says otherwise. */
  readonly type: string;
  readonly data: string;
}

/** An event as an EventSource tells it: WHATWG HTML §9.2.6. */
export interface ServerEvent extends TypedEvent {
  /** The id of this event, or of the last one before it that had an id. */
  readonly lastEventId: string;
}

/** Every kind of line end that §9.2.5 knows. */
const LINE_END = /\r\n|\r|\n/;

/** The default limit of a WebSocket message. */
const MAX_EVENT_BYTES = 4_194_304;

/**
 * The text of one event, its blank line included. Without `data` nothing is dispatched at the other end, but `id` and
 * `retry` take effect. Throws BAD_DATA for a field that would arrive changed.
 */
export function encodeEvent(fields: EventFields): string {
  const { event, id, retry, data } = fields;
  let text = "";
  if (event !== undefined) {
    checkText("type", event);
    if (LINE_END.test(event)) throw new ChannelError("BAD_DATA", "an event's type must not hold a line break");
    text += `event: ${event}\n`;
  }
  if (id !== undefined) {
    checkText("id", id);
    // §9.2.6: the receiver ignores an id with NUL.
    if (LINE_END.test(id) || id.includes("\0")) {
      throw new ChannelError("BAD_DATA", "an event's id must not hold a line break or NUL");
    }
    text += `id: ${id}\n`;
  }
  if (retry !== undefined) {
    if (!Number.isSafeInteger(retry) || retry < 0) {
      throw new ChannelError("BAD_DATA", "retry must be a non-negative integer");
    }
    text += `retry: ${retry}\n`;
  }
  if (data !== undefined) text += encodeLines("data: ", data);
  return text + "\n";
}

function checkText(field: string, value: unknown): void {
  if (typeof value === "string") return;
  throw new ChannelError("BAD_DATA", `an event's ${field} is ${show(value)}; it must be a string`);
}

/** A comment, which receivers ignore: the heartbeat of an event stream. */
export function encodeComment(text = ""): string {
  return encodeLines(": ", text) + "\n";
}

function encodeLines(prefix: string, text: string): string {
  if (!LINE_END.test(text)) return `${prefix}${text}\n`;
  let lines = "";
  for (const line of text.split(LINE_END)) lines += `${prefix}${line}\n`;
  return lines;
}

const JOINED_LINES = 1024;

/**
 * Decodes an event stream, §9.2.6. Lines after the last blank line are not an event.
 * Throws MESSAGE_TOO_BIG for an event of more than `maxEventBytes`, counted in UTF-16 units: a text never has
 * more of these than bytes; from then on `next` returns undefined.
 */
export class EventDecoder {
  readonly #maxEventBytes: number;
  readonly #decode: (bytes: Uint8Array) => string = textStream();
  /** Text that was not read yet, with LF for every line end. */
  #text = "";
  /** The index of the next line in `#text`. */
  #at = 0;
  /** True if the text so far ended with CR: an LF right after it belongs to the same line end. */
  #afterCr = false;
  /** The beginning of a partial line, which is not scanned again. */
  #line = "";
  #data = "";
  /** The latest lines of `#data`. Joined by the thousand: a rope of V8 has two nodes of 32 bytes for each line. */
  #lines: string[] = [];
  /** The length of both. */
  #size = 0;
  #type = "";
  /** The "last event ID buffer", which takes effect at the next blank line. */
  #id = "";
  #lastEventId = "";
  #retryMs: number | undefined;
  #isSpent = false;

  constructor(options: { readonly maxEventBytes?: number } = {}) {
    this.#maxEventBytes = options.maxEventBytes ?? MAX_EVENT_BYTES;
  }

  /** The latest `retry` of the stream: the time to wait before connecting again. */
  get retryMs(): number | undefined {
    return this.#retryMs;
  }

  /** The value of Last-Event-ID for the next connection. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  push(bytes: Uint8Array): void {
    if (this.#isSpent) return;
    let text = this.#decode(bytes);
    if (text === "") return;
    if (this.#afterCr && text.startsWith("\n")) text = text.slice(1);
    this.#afterCr = text.endsWith("\r");
    this.#text = this.#text.slice(this.#at) + text.replace(/\r\n?/g, "\n");
    this.#at = 0;
  }

  next(): ServerEvent | undefined {
    while (!this.#isSpent) {
      const end = this.#text.indexOf("\n", this.#at);
      const isCut = end === -1;
      const rest = isCut ? this.#text.slice(this.#at) : this.#text.slice(this.#at, end);
      const line = this.#line === "" ? rest : this.#line + rest;
      this.#line = isCut ? line : "";
      this.#at = isCut ? this.#text.length : end + 1;
      if (line.length + this.#size > this.#maxEventBytes) {
        this.#isSpent = true;
        throw new ChannelError("MESSAGE_TOO_BIG");
      }
      if (isCut) return undefined;
      const event = line === "" ? this.#dispatch() : this.#take(line);
      if (event !== undefined) return event;
    }
    return undefined;
  }

  /** Takes a line without its end. Names are compared literally, and a comment is a line whose name is empty. */
  #take(line: string): undefined {
    const [name, value] = fieldOf(line);
    if (name === "data") {
      this.#size += value.length + 1;
      if (this.#lines.push(value) === JOINED_LINES) this.#join();
    }
    if (name === "event") this.#type = value;
    if (name === "id" && !value.includes("\0")) this.#id = value;
    if (name === "retry" && /^[0-9]+$/.test(value)) this.#retryMs = Number(value);
  }

  /** Ends an event at its blank line. Returns it if it has data. */
  #dispatch(): ServerEvent | undefined {
    const type = this.#type || "message";
    this.#lastEventId = this.#id;
    this.#join();
    const data = this.#data;
    this.#type = this.#data = "";
    this.#size = 0;
    return data === "" ? undefined : { type, data: data.slice(0, -1), lastEventId: this.#lastEventId };
  }

  #join(): void {
    if (this.#lines.length === 0) return;
    this.#data += `${this.#lines.join("\n")}\n`;
    this.#lines = [];
  }
}

/**
 * Makes a smaller decoder, for a client that trusts its server: type and data only, without a limit. Returns a function that
 * takes bytes and returns the events that they complete.
 */
export function typedEvents(): (bytes: Uint8Array) => TypedEvent[] {
  const decode = textStream();
  let afterCr = false;
  /** The pieces of a partial line. */
  let cut: string[] = [];
  let data: string[] = [];
  let type = "";
  return (bytes) => {
    let text = decode(bytes);
    if (afterCr && text[0] === "\n") text = text.slice(1);
    else if (text === "") return [];
    afterCr = text.endsWith("\r");
    const lines = text.split(LINE_END);
    cut.push(lines[0]!);
    if (lines.length === 1) return [];
    lines[0] = cut.join("");
    cut = [lines.pop()!];
    const events: TypedEvent[] = [];
    for (const line of lines) {
      const [name, value] = fieldOf(line);
      if (name === "data") data.push(value);
      else if (name === "event") type = value;
      else if (line === "") {
        if (data.length > 0) events.push({ type: type || "message", data: data.join("\n") });
        type = "";
        data = [];
      }
    }
    return events;
  };
}

/** Name and value of a line: one space behind the colon belongs to neither, and all may be name. */
function fieldOf(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  if (colon === -1) return [line, ""];
  return [line.slice(0, colon), line.slice(colon + (line[colon + 1] === " " ? 2 : 1))];
}
