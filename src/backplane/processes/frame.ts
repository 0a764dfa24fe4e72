// The frames between a process and the hub, over one byte stream. All numbers are big-endian.
//
//   length  u32  number of bytes that follow
//   kind    u8   see `kinds.ts`
//   number  u32  of the call or of the subscription
//   fields       as the kind has them
//
// Fields: `text` is a u32, then that many bytes; the highest bit of the u32 says that they are UTF-16 (any string, also one with lone
// surrogates) instead of one byte per character. `bytes` is a u32 and that many bytes; `optional` is the same, or 0xffffffff
// for none. `number` is a float64, which holds every limit, Infinity too. `flag` is one byte, 0 or 1.

import { isAscii } from "../../base/bytes.ts";
import { unavailable } from "../unavailable.ts";

/** Bytes of `length`, `kind` and `number`. */
const HEAD_BYTES = 9;

/** Largest message that a group may publish: 64 MiB. A snapshot of a session has at most 16 MiB. */
export const MAX_PAYLOAD_BYTES: number = 64 * 1024 * 1024;

/** Largest frame: a message, and the names and numbers beside it. */
export const MAX_FRAME_BYTES: number = MAX_PAYLOAD_BYTES + 1024 * 1024;

const IS_UTF16 = 0x8000_0000;
const NONE = 0xffff_ffff;

/** Memory that is allocated at once; the frames of many turns share it. */
const SLAB_BYTES = 65_536;

export interface Frame {
  readonly kind: number;
  readonly number: number;
  /** The fields are read once, in their order. */
  readonly fields: FieldReader;
}

/** Writes frames behind one another into memory of its own. */
export class FrameWriter {
  #memory: Buffer = Buffer.allocUnsafe(0);
  /** The first byte that was not taken. */
  #start = 0;
  #end = 0;
  #frame = 0;

  /** The number of bytes that were not taken. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Begins a frame, which `end` ends. */
  begin(kind: number, number: number): this {
    this.#reserve(HEAD_BYTES);
    this.#frame = this.#end;
    this.#memory[this.#end + 4] = kind;
    this.#memory.writeUInt32BE(number, this.#end + 5);
    this.#end += HEAD_BYTES;
    return this;
  }

  text(value: string): this {
    const isNarrow = isAscii(value);
    const length = isNarrow ? value.length : 2 * value.length;
    this.#reserve(4 + length);
    this.#memory.writeUInt32BE(isNarrow ? length : (length | IS_UTF16) >>> 0, this.#end);
    this.#memory.write(value, this.#end + 4, isNarrow ? "latin1" : "utf16le");
    this.#end += 4 + length;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#reserve(4 + value.length);
    this.#memory.writeUInt32BE(value.length, this.#end);
    this.#memory.set(value, this.#end + 4);
    this.#end += 4 + value.length;
    return this;
  }

  optional(value: Uint8Array | undefined): this {
    if (value !== undefined) return this.bytes(value);
    this.#reserve(4);
    this.#end = this.#memory.writeUInt32BE(NONE, this.#end);
    return this;
  }

  number(value: number): this {
    this.#reserve(8);
    this.#end = this.#memory.writeDoubleBE(value, this.#end);
    return this;
  }

  flag(value: boolean): this {
    this.#reserve(1);
    this.#memory[this.#end++] = value ? 1 : 0;
    return this;
  }

  end(): void {
    this.#memory.writeUInt32BE(this.#end - this.#frame - 4, this.#frame);
  }

  /** Removes and returns all frames. The bytes are not written again. */
  take(): Uint8Array {
    const taken = this.#memory.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return taken;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#memory.length) return;
    const used = this.length;
    const needed = used + bytes;
    // Twice as much as is used: each byte is copied at most twice on average, however many frames wait.
    const grown = Buffer.allocUnsafe(Math.max(SLAB_BYTES, needed > SLAB_BYTES ? needed + used : 0));
    this.#memory.copy(grown, 0, this.#start, this.#end);
    this.#frame -= this.#start;
    this.#memory = grown;
    this.#start = 0;
    this.#end = used;
  }
}

/** Divides bytes into frames. Throws BACKPLANE_UNAVAILABLE for a malformed one, before its fields have arrived. */
export class FrameDecoder {
  readonly #maxBytes: number;
  #pieces: Uint8Array[] = [];
  #length = 0;
  /** Bytes that must be there before it is worth to look. */
  #needed = HEAD_BYTES;

  constructor(maxBytes: number = MAX_FRAME_BYTES) {
    this.#maxBytes = maxBytes;
  }

  push(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }

  next(): Frame | undefined {
    if (this.#length < this.#needed) return undefined;
    const head = this.#joined(HEAD_BYTES);
    const length = head.readUInt32BE(0);
    if (length < HEAD_BYTES - 4 || length > this.#maxBytes) throw malformed(`a frame of ${length} bytes`);
    this.#needed = 4 + length;
    if (this.#length < this.#needed) return undefined;
    const all = this.#joined(this.#needed);
    const frame = {
      kind: all[4]!,
      number: all.readUInt32BE(5),
      fields: new FieldReader(all.subarray(HEAD_BYTES, this.#needed)),
    };
    this.#pieces[0] = all.subarray(this.#needed);
    this.#length -= this.#needed;
    if (this.#length === 0) this.#pieces = [];
    this.#needed = HEAD_BYTES;
    return frame;
  }

  /** Returns the first piece, with at least so many bytes. A long frame is joined once, when its last byte is there. */
  #joined(bytes: number): Buffer {
    if (this.#pieces[0]!.length < bytes) this.#pieces = [Buffer.concat(this.#pieces)];
    const first = this.#pieces[0]!;
    return Buffer.isBuffer(first) ? first : Buffer.from(first.buffer, first.byteOffset, first.byteLength);
  }
}

/** Reads the fields of a frame. Throws BACKPLANE_UNAVAILABLE behind the last one. */
export class FieldReader {
  readonly #memory: Buffer;
  #at = 0;

  constructor(memory: Buffer) {
    this.#memory = memory;
  }

  get hasMore(): boolean {
    return this.#at < this.#memory.length;
  }

  text(): string {
    const head = this.#u32();
    const isWide = head >= IS_UTF16;
    const length = isWide ? head - IS_UTF16 : head;
    const start = this.#advance(length);
    return this.#memory.toString(isWide ? "utf16le" : "latin1", start, start + length);
  }

  /** The bytes are a view of those that arrived. */
  bytes(): Uint8Array {
    const length = this.#u32();
    const start = this.#advance(length);
    return this.#memory.subarray(start, start + length);
  }

  optional(): Uint8Array | undefined {
    if (this.#u32() === NONE) return undefined;
    this.#at -= 4;
    return this.bytes();
  }

  number(): number {
    return this.#memory.readDoubleBE(this.#advance(8));
  }

  flag(): boolean {
    return this.#memory[this.#advance(1)] === 1;
  }

  #u32(): number {
    return this.#memory.readUInt32BE(this.#advance(4));
  }

  /** Returns the position before. */
  #advance(bytes: number): number {
    const start = this.#at;
    if (start + bytes > this.#memory.length) throw malformed("a frame with a field that is too long");
    this.#at = start + bytes;
    return start;
  }
}

function malformed(what: string): Error {
  return unavailable(`${what} between the processes`);
}
