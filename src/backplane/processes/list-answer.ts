// A long answer: frames with some items each, then the frame that ends it.

import type { Caller, Pouring } from "./caller.ts";
import type { FrameWriter } from "./frame.ts";
import { REPLY } from "./kinds.ts";

/** Bytes of a part, unless its first item is longer. */
export const PART_BYTES = 65_536;

export interface AnswerParts<Item> {
  readonly items: readonly Item[];
  writeItem(writer: FrameWriter, item: Item): void;
  /** Writes the fields of the last frame. */
  writeEnd?(writer: FrameWriter): void;
}

export class ListAnswer<Item> implements Pouring {
  readonly #caller: Caller;
  readonly #number: number;
  readonly #parts: AnswerParts<Item>;
  #at = 0;

  constructor(caller: Caller, number: number, parts: AnswerParts<Item>) {
    this.#caller = caller;
    this.#number = number;
    this.#parts = parts;
  }

  pour(): boolean {
    const { writer } = this.#caller;
    const { items } = this.#parts;
    if (this.#at < items.length) {
      const before = writer.length;
      writer.begin(REPLY.PART, this.#number);
      do this.#parts.writeItem(writer, items[this.#at++]!);
      while (this.#at < items.length && writer.length - before < PART_BYTES);
      writer.end();
    }
    if (this.#at < items.length) return false;
    writer.begin(REPLY.ANSWER, this.#number);
    this.#parts.writeEnd?.(writer);
    writer.end();
    return true;
  }
}
