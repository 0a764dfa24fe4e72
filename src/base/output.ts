// The output of a protocol, in order, until its transport takes it. Small pieces are latin1 strings: joining two is free (V8
// ropes), and writing one string to a socket is Node's cheapest write. Large payloads stay bytes and are never copied.

import { concat, latin1, latin1Bytes, type Piece, utf8Bytes, utf8Length } from "./bytes.ts";

/** Bytes up to this length are copied into the string beside them: one write instead of a vector of pieces. */
const JOIN_BYTES = 1024;

/** The limit for a piece that goes to many outputs. It is higher, because such a piece is joined once for all of them. */
const SHARED_JOIN_BYTES = 16_384;

export class Output {
  /** Number of bytes held. */
  size = 0;
  #text = "";
  /** True if other outputs are likely to hold the very same text. */
  #isShared = false;
  #pieces: Piece[] | undefined;

  /** Appends a string in which every character is one byte. */
  text(latin1Text: string): void {
    this.#text += latin1Text;
    this.#isShared = false;
    this.size += latin1Text.length;
  }

  /**
   * Appends a long string in which every character is one byte, as a piece of its own. A socket copies it once, for its write. Joined
   * with the text beside it, it would be copied once more, and encoded here as well: echoes of 64 KiB cost 47 µs in place of 62 without
   * the two (Node 20, npm run bench -- ws-echo-64k-text; bench/micro/long-text.js).
   */
  longText(latin1Text: string): void {
    this.size += latin1Text.length;
    this.#push(latin1Text);
  }

  /** Appends bytes. The caller must not change them until they are taken. */
  bytes(bytes: Uint8Array): void {
    this.size += bytes.length;
    if (bytes.length <= JOIN_BYTES) {
      this.#text += latin1(bytes);
      this.#isShared = false;
      return;
    }
    this.#push(bytes);
  }

  piece(piece: Piece): void {
    if (typeof piece === "string") this.text(piece);
    else this.bytes(piece);
  }

  /**
   * Appends a piece that many outputs receive, made by `sharedPiece`. Outputs that held equal text before hold the same string
   * afterwards, and `take` returns the same bytes for them: a burst to a group is joined once, not once for each member.
   */
  shared(piece: Piece): void {
    this.size += piece.length;
    if (typeof piece !== "string") this.#push(piece);
    else if (this.#text === "") {
      this.#text = piece;
      this.#isShared = true;
    } else this.#text = joined(this.#text, piece);
  }

  /** Takes all bytes that are held: one piece, or several in order; undefined if there are none. */
  take(): Piece | Piece[] | undefined {
    if (this.size === 0) return undefined;
    const text = this.#text;
    const pieces = this.#pieces;
    this.#text = "";
    this.size = 0;
    if (pieces === undefined) return this.#isShared ? sharedBytes(text) : text;
    this.#pieces = undefined;
    if (text !== "") pieces.push(text);
    return pieces;
  }

  #push(piece: Piece): void {
    this.#pieces ??= [];
    if (this.#text !== "") this.#pieces.push(this.#text);
    this.#text = "";
    this.#pieces.push(piece);
  }
}

/** Returns the argument of `Output.shared`: `body` in UTF-8 between `head` and `tail`, which are latin1. */
export function sharedPiece(head: string, body: string | Uint8Array, tail = ""): Piece {
  const length = typeof body === "string" ? utf8Length(body) : body.length;
  if (head.length + length + tail.length > SHARED_JOIN_BYTES) {
    return concat([latin1Bytes(head), typeof body === "string" ? utf8Bytes(body) : body, latin1Bytes(tail)]);
  }
  if (typeof body === "string" && length === body.length) return head + body + tail;
  return head + latin1(typeof body === "string" ? utf8Bytes(body) : body) + tail;
}

/** An object that sometimes has output. It has an Output only then, which makes a silent connection 64 bytes smaller. */
export class OutputSource {
  #output: Output | undefined;

  constructor(output?: Output) {
    this.#output = output;
  }

  /** Number of bytes that wait to be taken. */
  get outputSize(): number {
    return this.#output === undefined ? 0 : this.#output.size;
  }

  /** Takes all bytes that wait: one piece, or several in order; undefined if there are none. */
  takeOutput(): Piece | Piece[] | undefined {
    const output = this.releaseOutput();
    if (output === undefined) return undefined;
    const taken = output.take();
    if (spares.length < MAX_SPARES) spares.push(output);
    return taken;
  }

  /** Gives up the output, for the protocol that takes over the connection. */
  releaseOutput(): Output | undefined {
    const output = this.#output;
    this.#output = undefined;
    return output;
  }

  protected get output(): Output {
    this.#output ??= spares.pop() ?? new Output();
    return this.#output;
  }
}

/** Empty outputs for reuse. A message to a thousand members needs a thousand at once. */
const spares: Output[] = [];
const MAX_SPARES = 1024;

/**
 * The last two strings that were joined, and the result. Compared strings are nearly always the same object, or differ in
 * length.
 */
let lastLeft = "";
let lastRight = "";
let lastJoined = "";

function joined(left: string, right: string): string {
  if (left === lastLeft && right === lastRight) return lastJoined;
  lastLeft = left;
  lastRight = right;
  lastJoined = left + right;
  return lastJoined;
}

let lastText = "";
let lastBytes: Uint8Array = latin1Bytes("");

/**
 * The bytes of a text that other outputs are likely to hold as well. A socket encodes a string anew for each write: the same
 * text to 1,000 sockets costs each 8.9 µs as a string and 8.7 µs as a Buffer (130 bytes), or 9.6 µs and 8.8 µs (2 KiB; Node
 * 20.20). Sockets that cannot take it at once hold the same memory.
 */
function sharedBytes(text: string): Uint8Array {
  if (text !== lastText) {
    lastText = text;
    lastBytes = latin1Bytes(text);
  }
  return lastBytes;
}
