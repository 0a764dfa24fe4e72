// Finds a close frame in bytes that are not decoded yet: messages may wait for the application, but the end of the
// connection should be known at once. RFC 6455 §5.2.

/** The opcode of a close frame, §5.2. */
const CLOSE = 8;

/**
 * True if the pieces contain a whole close frame. `skip`: remaining payload bytes of a frame that began before them. Headers
 * are not checked here; the decoder does that later.
 */
export function holdsCloseFrame(pieces: readonly Uint8Array[], skip: number): boolean {
  const ahead = new Ahead(pieces);
  ahead.skip(skip);
  for (;;) {
    const opcode = ahead.byte() & 0x0f;
    const b1 = ahead.byte();
    const announced = b1 & 0x7f;
    const length = announced < 126 ? announced : ahead.number(announced === 126 ? 2 : 8);
    ahead.skip(length + (b1 >= 0x80 ? 4 : 0));
    if (ahead.isShort) return false;
    if (opcode === CLOSE) return true;
  }
}

/** A position in several pieces. */
class Ahead {
  /** True if a byte after the last one was requested. */
  isShort = false;
  readonly #pieces: readonly Uint8Array[];
  #index = 0;
  #at = 0;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces;
  }

  /** The next byte; 0 after the last. */
  byte(): number {
    for (; this.#index < this.#pieces.length; this.#index++) {
      const piece = this.#pieces[this.#index]!;
      if (this.#at < piece.length) return piece[this.#at++]!;
      this.#at -= piece.length;
    }
    this.isShort = true;
    return 0;
  }

  number(bytes: number): number {
    let value = 0;
    for (let i = 0; i < bytes; i++) value = value * 256 + this.byte();
    return value;
  }

  skip(bytes: number): void {
    this.#at += bytes;
    while (this.#index < this.#pieces.length && this.#at >= this.#pieces[this.#index]!.length) {
      this.#at -= this.#pieces[this.#index]!.length;
      this.#index += 1;
    }
    if (this.#index === this.#pieces.length && this.#at > 0) this.isShort = true;
  }
}
