// Server-Sent Events, both ways: WHATWG HTML §9.2, "Server-sent events". Also runs in browsers.

import { TextStream } from "../base/bytes.ts";
import { ChannelError } from "../base/channel-error.ts";

export interface EventFields {
  readonly data?: string;
  readonly event?: string;
  readonly id?: string;
  /** Milliseconds that the client waits before it connects again. */
  readonly retry?: number;
}

export interface ServerEvent {
  /** "message" unless the stream says otherwise. */
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

/** Every kind of line end that §9.2.5 knows. */
const LINE_END = /\r\n|\r|\n/;

const LF = 10;
const CR = 13;

/** As much as a WebSocket message by default. */
const MAX_EVENT_BYTES = 4 * 1024 * 1024;

/**
 * The text of one event, its blank line included. Without `data` nothing is dispatched at the other end, but `id` and
 * `retry` take effect. Throws BAD_DATA for a field that would not arrive as it was given.
 */
export function encodeEvent(fields: EventFields): string {
  const { event, id, retry, data } = fields;
  let text = "";
  if (event !== undefined) {
    if (LINE_END.test(event)) throw new ChannelError("BAD_DATA", "an event's type must not hold a line break");
    text += `event: ${event}\n`;
  }
  if (id !== undefined) {
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

/** The same for a type that is known to be none that breaks the line, without what the client has no use for. */
export function encodeTypedEvent(event: string | undefined, data: string): string {
  return `${event === undefined ? "" : `event: ${event}\n`}${encodeLines("data: ", data)}\n`;
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

/**
 * An event stream to its events: §9.2.6. What stands after the last blank line is no event.
 * Throws MESSAGE_TOO_BIG for an event of more than `maxEventBytes`, counted in UTF-16 units, of which a text never has
 * more than bytes; then the decoder is spent and `next` answers undefined.
 */
export class EventDecoder {
  readonly #maxEventBytes: number;
  readonly #stream: TextStream = new TextStream();
  /** Unread text is #text from #at on. */
  #text = "";
  #at = 0;
  /** The beginning of a line that is cut. Appending does not scan it again. */
  #line = "";
  /** The line before ended with CR, so an LF right after it belongs to that line end. */
  #afterCr = false;
  #data = "";
  #type = "";
  /** The "last event ID buffer", which takes effect at the next blank line. */
  #id = "";
  #lastEventId = "";
  #retryMs: number | undefined;
  #spent = false;

  constructor(options: { readonly maxEventBytes?: number } = {}) {
    this.#maxEventBytes = options.maxEventBytes ?? MAX_EVENT_BYTES;
  }

  /** What the stream asked for last, to be waited before connecting again. */
  get retryMs(): number | undefined {
    return this.#retryMs;
  }

  /** To be sent as Last-Event-ID when connecting again. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  push(bytes: Uint8Array): void {
    if (this.#spent) return;
    const text = this.#stream.decode(bytes);
    this.#text = this.#at === this.#text.length ? text : this.#text.slice(this.#at) + text;
    this.#at = 0;
  }

  next(): ServerEvent | undefined {
    for (;;) {
      const line = this.#nextLine();
      if (line === undefined) return undefined;
      if (line !== "") {
        this.#field(line);
        continue;
      }
      const event = this.#dispatch();
      if (event !== undefined) return event;
    }
  }

  /** The next line without its end; undefined when it is incomplete. */
  #nextLine(): string | undefined {
    const text = this.#text;
    let at = this.#at;
    if (this.#afterCr && at < text.length) {
      this.#afterCr = false;
      if (text.charCodeAt(at) === LF) at++;
    }
    let end = at;
    let code = 0;
    while (end < text.length && (code = text.charCodeAt(end)) !== LF && code !== CR) end++;
    this.#line += text.slice(at, end);
    if (this.#line.length + this.#data.length > this.#maxEventBytes) this.#fail();
    if (end === text.length) {
      this.#text = "";
      this.#at = 0;
      return undefined;
    }
    this.#at = end + 1;
    this.#afterCr = code === CR;
    const line = this.#line;
    this.#line = "";
    return line;
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    let value = "";
    if (colon !== -1) value = line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1);
    // Names are compared literally, and a comment is a line whose name is empty.
    switch (name) {
      case "data":
        this.#data += value + "\n";
        break;
      case "event":
        this.#type = value;
        break;
      case "id":
        if (!value.includes("\0")) this.#id = value;
        break;
      case "retry":
        if (/^[0-9]+$/.test(value)) this.#retryMs = Number(value);
        break;
    }
  }

  /** At a blank line: the event, if it has data. */
  #dispatch(): ServerEvent | undefined {
    const data = this.#data;
    const type = this.#type;
    this.#lastEventId = this.#id;
    this.#data = "";
    this.#type = "";
    if (data === "") return undefined;
    return { type: type === "" ? "message" : type, data: data.slice(0, -1), lastEventId: this.#lastEventId };
  }

  #fail(): never {
    this.#spent = true;
    this.#text = "";
    this.#at = 0;
    this.#line = "";
    this.#data = "";
    throw new ChannelError("MESSAGE_TOO_BIG");
  }
}
