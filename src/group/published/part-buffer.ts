// The parts of a stream that wait for the next message. Text is joined; other values are a list. A message has one or the other.

import { textStream } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import { toJson } from "../../channel/send-data.ts";

/** Size at which a message has no further part, in characters of text or JSON. */
const MESSAGE_SIZE = 16 * 1024;
/** Size at which the source waits. */
const MAX_SIZE = 64 * 1024;

/** The parts of one message. */
export type MessageParts = { readonly text: string } | { readonly parts: readonly unknown[] };

type Run = { kind: "text"; text: string; size: number } | { kind: "parts"; parts: unknown[]; size: number };

export class PartBuffer {
  readonly #runs: Run[] = [];
  #size = 0;
  readonly #decode: (bytes: Uint8Array) => string = textStream();

  get isEmpty(): boolean {
    return this.#runs.length === 0;
  }

  /** True if it has as much as one message may have. */
  get hasMessage(): boolean {
    return this.#runs.length > 1 || this.#size >= MESSAGE_SIZE;
  }

  /** True if the source should wait. */
  get isFull(): boolean {
    return this.#size >= MAX_SIZE;
  }

  /** Adds a part, or a copy of it. Returns its size. Throws BAD_DATA for a value that JSON cannot express. */
  push(part: unknown): number {
    const text = typeof part === "string" ? part : part instanceof Uint8Array ? this.#decode(part) : undefined;
    if (text === "") return 0;
    const json = text === undefined ? toJson(part) : undefined;
    if (text === undefined && json === undefined) {
      throw new ChannelError("BAD_DATA", "JSON has no form for a part of the stream");
    }
    const size = (text ?? json!).length;
    this.#size += size;
    if (text !== undefined) this.#pushText(text);
    // The source may change the value before the message is made.
    else this.#pushValue(JSON.parse(json!), size);
    return size;
  }

  /** A long text is cut: a broker may refuse one message of its length. */
  #pushText(text: string): void {
    for (let from = 0; from < text.length; ) {
      const last = this.#runs.at(-1);
      const room = last?.kind === "text" ? MESSAGE_SIZE - last.size : 0;
      const piece = text.slice(from, from + (room > 0 ? room : MESSAGE_SIZE));
      from += piece.length;
      if (room > 0 && last?.kind === "text") {
        last.text += piece;
        last.size += piece.length;
      } else this.#runs.push({ kind: "text", text: piece, size: piece.length });
    }
  }

  #pushValue(value: unknown, size: number): void {
    const last = this.#runs.at(-1);
    if (last?.kind === "parts" && last.size < MESSAGE_SIZE) {
      last.parts.push(value);
      last.size += size;
    } else this.#runs.push({ kind: "parts", parts: [value], size });
  }

  /** Removes the parts of the next message. Returns undefined if there are none. */
  take(): MessageParts | undefined {
    const run = this.#runs.shift();
    if (run === undefined) return undefined;
    this.#size -= run.size;
    return run.kind === "text" ? { text: run.text } : { parts: run.parts };
  }
}
