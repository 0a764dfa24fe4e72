// What waits for one socket, in order, and how much of it the socket gets at a time.

import type { Piece } from "../base/bytes.ts";

/**
 * Of what waits, so much goes to the socket at a time; twice as much where nothing smaller would be left over. More for a
 * peer that takes several in a second: echoes of 1 MiB reach 0.7 of their rate with the smallest, and all of it with the
 * largest. A peer that becomes slow has two of them before it, less than a system buffers for a fast connection anyway
 * (Linux: up to 4 MB).
 */
export const MIN_SLICE_BYTES = 131_072;
const MAX_SLICE_BYTES = 524_288;

export class WriteQueue {
  /** Bytes that wait here. */
  bytes = 0;
  /**
   * Memory beyond `bytes`, and beyond what the socket has not given on: a slice of a large message keeps the whole of it in
   * memory, with the slices that have gone.
   */
  pinnedBytes = 0;
  /** What the server's sum has of this stream. */
  counted = 0;
  /** The system took something since the last beat; if not: when it last did. */
  hasMoved = true;
  movedAt = 0;
  sliceBytes: number = MIN_SLICE_BYTES;
  /** For the socket: what it was given is taken. */
  readonly onTaken: (error?: Error | null) => void;
  #pieces: Piece[] = [];
  #at = 0;
  /** Bytes that were cut from the piece at `#at`, and handed on. */
  #cutBytes = 0;

  constructor(onTaken: (error?: Error | null) => void) {
    this.onTaken = onTaken;
  }

  add(output: Piece | readonly Piece[]): void {
    if (typeof output === "string" || output instanceof Uint8Array) this.#addPiece(output);
    else for (const piece of output) this.#addPiece(piece);
  }

  /** The system has taken what the socket was given; if that was the second time since the last beat, it may have more. */
  moved(): void {
    if (this.hasMoved && this.sliceBytes < MAX_SLICE_BYTES) this.sliceBytes *= 2;
    this.hasMoved = true;
  }

  /** The next slice. */
  take(): Piece | readonly Piece[] {
    // The slice before was taken by the system; those of the same piece stay in memory with this one.
    this.pinnedBytes = this.#cutBytes;
    if (this.bytes <= 2 * this.sliceBytes) {
      const rest = this.#at === 0 ? this.#pieces : this.#pieces.slice(this.#at);
      this.#pieces = [];
      this.#at = 0;
      this.#cutBytes = 0;
      this.bytes = 0;
      return rest;
    }
    const slice: Piece[] = [];
    for (let room = this.sliceBytes; room > 0; ) {
      const piece = this.#pieces[this.#at]!;
      if (piece.length <= room) {
        slice.push(piece);
        // What was handed on must not be kept.
        this.#pieces[this.#at++] = "";
        this.#cutBytes = 0;
        room -= piece.length;
      } else {
        slice.push(cut(piece, 0, room));
        this.#pieces[this.#at] = cut(piece, room, piece.length);
        this.#cutBytes += room;
        room = 0;
      }
    }
    this.bytes -= this.sliceBytes;
    if (this.#at >= 1024) {
      this.#pieces.splice(0, this.#at);
      this.#at = 0;
    }
    return slice;
  }

  #addPiece(piece: Piece): void {
    this.bytes += piece.length;
    const last = this.#pieces.length - 1;
    const before = this.#pieces[last];
    // Strings join for nothing, and a write of one piece is the cheapest.
    if (
      last >= this.#at &&
      typeof piece === "string" &&
      typeof before === "string" &&
      before.length < MIN_SLICE_BYTES
    ) {
      this.#pieces[last] = before + piece;
    } else this.#pieces.push(piece);
  }
}

function cut(piece: Piece, start: number, end: number): Piece {
  return typeof piece === "string" ? piece.slice(start, end) : piece.subarray(start, end);
}
