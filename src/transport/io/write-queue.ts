// The queue of output that waits for one socket, and the size of the slices in which the socket gets it.

import { latin1Bytes, type Piece } from "../../base/bytes.ts";

/**
 * Bytes of a slice; the last one may be twice as long. Slices grow for a peer that takes several in a second: echoes of 1 MiB
 * reach 0.7 of their rate with the smallest slices, and all of it with the largest. A peer that becomes slow has at most two
 * of them ahead, less than a system buffers for a fast connection anyway (Linux: up to 4 MB).
 */
export const MIN_SLICE_BYTES = 131_072;
const MAX_SLICE_BYTES = 524_288;

/** A longer string is encoded before it waits: it may be a part of a far longer text, and would keep all of it in memory. */
export const MAX_WAITING_STRING = 16_384;

export class WriteQueue {
  /** Bytes in the queue. */
  bytes = 0;
  /**
   * Bytes kept in memory beside the queue and the socket's own buffer: a slice of a large message keeps the whole message,
   * with the slices that are sent.
   */
  pinnedBytes = 0;
  /** Bytes of this stream in the server's sum. */
  counted = 0;
  /** The tick since which the system has taken nothing; undefined if it has taken something since the last tick. */
  stalledSince: number | undefined;
  sliceBytes: number = MIN_SLICE_BYTES;
  /** The callback for the socket's writes: the system has taken the output that was written. */
  readonly onTaken: (error?: Error | null) => void;
  #pieces: Piece[] = [];
  #at = 0;
  /** Bytes of the piece at `#at` that earlier slices have. */
  #cutBytes = 0;

  constructor(onTaken: (error?: Error | null) => void) {
    this.onTaken = onTaken;
  }

  add(output: Piece | readonly Piece[]): void {
    if (typeof output === "string" || output instanceof Uint8Array) this.#addPiece(output);
    else for (const piece of output) this.#addPiece(piece);
  }

  /** The system has taken the output that was written. Slices grow from the second call after a tick on. */
  moved(): void {
    if (this.stalledSince === undefined && this.sliceBytes < MAX_SLICE_BYTES) this.sliceBytes *= 2;
    this.stalledSince = undefined;
  }

  /**
   * Called with each tick while something is unsent. Returns true if the system has taken nothing for `writeTimeoutMs`; slices
   * are small again from the second such tick on.
   */
  isStalled(now: number, writeTimeoutMs: number): boolean {
    if (this.stalledSince === undefined) {
      this.stalledSince = now;
      return false;
    }
    this.sliceBytes = MIN_SLICE_BYTES;
    return now - this.stalledSince >= writeTimeoutMs;
  }

  /** Removes and returns the next slice. */
  take(): Piece | readonly Piece[] {
    // The system has taken the slice before. Slices of the same piece stay in memory with this one.
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
        // The queue must not keep it in memory.
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

  /** Drops all waiting output. */
  clear(): void {
    this.#pieces = [];
    this.#at = 0;
    this.#cutBytes = 0;
    this.bytes = 0;
    this.pinnedBytes = 0;
  }

  #addPiece(piece: Piece): void {
    this.bytes += piece.length;
    if (typeof piece === "string" && piece.length > MAX_WAITING_STRING) piece = latin1Bytes(piece);
    const last = this.#pieces.length - 1;
    const before = this.#pieces[last];
    // Joining strings costs nothing, and a write of one piece is the cheapest.
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
