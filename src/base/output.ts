// The output of a protocol, in order, until its transport takes it. Small pieces are latin1 strings: joining two is free (V8
// ropes), and writing one string to a socket is Node's cheapest write. Large payloads stay bytes and are never copied.

import { concat, latin1, latin1Bytes, type Piece, utf8Bytes, utf8Length } from "./bytes.ts";

/** Bytes up to this length are copied into the string beside them: one write instead of a vector of pieces. */
const JOIN_BYTES = 1024;

/** The limit for a piece that goes to many outputs. It is higher, because such a piece is joined once for all of them. */
const SHARED_JOIN_BYTES = 16_384;

/**
 * A latin1 text that many outputs hold. They compare it by identity: comparing strings is a call in V8, and took a seventh of the
 * instructions of a delivery (npm run bench:guard, publish-16).
 */
export class SharedText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  get length(): number {
    return this.text.length;
  }
}

/** The argument of `Output.shared`. */
export type SharedPiece = SharedText | Uint8Array;

export class Output {
  /** Number of bytes held. */
  size = 0;
  /** The text behind the pieces: this, or `#shared`, of which one is empty. */
  #text = "";
  #shared: SharedText | undefined;
  #pieces: Piece[] | undefined;

  /** Appends a string in which every character is one byte. */
  text(latin1Text: string): void {
    this.#ownText();
    this.#text += latin1Text;
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
      this.#ownText();
      this.#text += latin1(bytes);
      return;
    }
    this.#push(bytes);
  }

  piece(piece: Piece): void {
    if (typeof piece === "string") this.text(piece);
    else this.bytes(piece);
  }

  /**
   * Appends a piece that many outputs receive, made by `sharedPiece`. Outputs that hold nothing but the same shared pieces hold the same
   * text, and `take` returns the same bytes for them: a burst to a group is joined once, not once for each member.
   */
  shared(piece: SharedPiece): void {
    this.size += piece.length;
    if (!(piece instanceof SharedText)) this.#push(piece);
    else if (this.#shared !== undefined) this.#shared = joined(this.#shared, piece);
    else if (this.#text.length === 0) this.#shared = piece;
    else this.#text += piece.text;
  }

  /** Takes all bytes that are held: one piece, or several in order; undefined if there are none. */
  take(): Piece | Piece[] | undefined {
    if (this.size === 0) return undefined;
    this.size = 0;
    const shared = this.#shared;
    const pieces = this.#pieces;
    if (shared !== undefined && pieces === undefined) {
      this.#shared = undefined;
      return sharedBytes(shared);
    }
    this.#ownText();
    const text = this.#text;
    this.#text = "";
    if (pieces === undefined) return text;
    this.#pieces = undefined;
    if (text !== "") pieces.push(text);
    return pieces;
  }

  /** More is appended to a shared text, for this output alone. */
  #ownText(): void {
    if (this.#shared === undefined) return;
    this.#text = this.#shared.text;
    this.#shared = undefined;
  }

  #push(piece: Piece): void {
    this.#ownText();
    this.#pieces ??= [];
    if (this.#text !== "") this.#pieces.push(this.#text);
    this.#text = "";
    this.#pieces.push(piece);
  }
}

/** Returns the argument of `Output.shared`: `body` in UTF-8 between `head` and `tail`, which are latin1. */
export function sharedPiece(head: string, body: string | Uint8Array, tail = ""): SharedPiece {
  const length = typeof body === "string" ? utf8Length(body) : body.length;
  if (head.length + length + tail.length > SHARED_JOIN_BYTES) {
    return concat([latin1Bytes(head), typeof body === "string" ? utf8Bytes(body) : body, latin1Bytes(tail)]);
  }
  if (typeof body === "string" && length === body.length) return new SharedText(head + body + tail);
  return new SharedText(head + latin1(typeof body === "string" ? utf8Bytes(body) : body) + tail);
}

/** A shared piece for an output that is no `Output`. */
export function plainPiece(piece: SharedPiece): Piece {
  return piece instanceof SharedText ? piece.text : piece;
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

/** The last two texts that were joined, and the result: the outputs of a group hold the same, and get the same. */
let lastLeft: SharedText | undefined;
let lastRight: SharedText | undefined;
let lastJoined: SharedText = new SharedText("");

function joined(left: SharedText, right: SharedText): SharedText {
  if (left === lastLeft && right === lastRight) return lastJoined;
  lastLeft = left;
  lastRight = right;
  lastJoined = new SharedText(left.text + right.text);
  return lastJoined;
}

let lastShared: SharedText | undefined;
let lastBytes: Uint8Array = latin1Bytes("");

/**
 * The bytes of a text that other outputs are likely to hold as well. A socket encodes a string anew for each write: the same
 * text to 1,000 sockets costs each 8.9 µs as a string and 8.7 µs as a Buffer (130 bytes), or 9.6 µs and 8.8 µs (2 KiB; Node
 * 20.20). Sockets that cannot take it at once hold the same memory.
 */
function sharedBytes(shared: SharedText): Uint8Array {
  if (shared !== lastShared) {
    lastShared = shared;
    lastBytes = latin1Bytes(shared.text);
  }
  return lastBytes;
}
