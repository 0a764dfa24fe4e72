// What a protocol wants written, in order, until its transport takes it.
// Small things are latin1 strings: joining two is free (V8 ropes), and one socket write of one string is the cheapest
// write that Node has. Large payloads stay the bytes they are and are never copied.

import { latin1, type Piece } from "./bytes.ts";

/** Up to this many bytes are copied into the string beside them: one write instead of a vector of pieces. */
const JOIN_BYTES = 1024;

export class Output {
  /** Bytes held. */
  size = 0;
  #text = "";
  #pieces: Piece[] | undefined;

  /** Appends a string in which every character is one byte. */
  text(latin1Text: string): void {
    this.#text += latin1Text;
    this.size += latin1Text.length;
  }

  /** Appends bytes. The caller does not change them until they are taken. */
  bytes(bytes: Uint8Array): void {
    this.size += bytes.length;
    if (bytes.length <= JOIN_BYTES) {
      this.#text += latin1(bytes);
      return;
    }
    this.#pieces ??= [];
    if (this.#text !== "") this.#pieces.push(this.#text);
    this.#text = "";
    this.#pieces.push(bytes);
  }

  piece(piece: Piece): void {
    if (typeof piece === "string") this.text(piece);
    else this.bytes(piece);
  }

  /** Takes all that is held: one piece, or several in order; undefined when there is nothing. */
  take(): Piece | Piece[] | undefined {
    if (this.size === 0) return undefined;
    const text = this.#text;
    const pieces = this.#pieces;
    this.#text = "";
    this.size = 0;
    if (pieces === undefined) return text;
    this.#pieces = undefined;
    if (text !== "") pieces.push(text);
    return pieces;
  }
}
