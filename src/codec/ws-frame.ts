// Encodes and decodes WebSocket frames: RFC 6455 §5.2.
// The decoder never holds a data payload: it returns the bytes that have arrived, in place, as parts of a frame. Only an
// incomplete header (at most 14 bytes) and an incomplete control payload (at most 125) wait inside.
// Long because it reads and writes the same header, and the two are checked side by side.

import { allocate, NO_BYTES } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { Queue } from "../base/queue.ts";
import { holdsCloseFrame } from "./ws-ahead.ts";
import { unmask } from "./ws-mask.ts";

/**
 * A whole frame, or the next part of one that is still arriving. One object serves all decoders: it is valid until the
 * next call of any `next`. Control frames come only whole.
 */
export interface FramePart {
  opcode: number;
  fin: boolean;
  rsv1: boolean;
  /** The payload length that the header announced. Above 2^53 it is inexact, but far above any limit. */
  length: number;
  /** The header came with this part, which may carry no payload yet. */
  first: boolean;
  /** The frame's payload ends with this part. */
  last: boolean;
  /** The payload of this part, unmasked, is bytes[start, end). */
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Every byte of this part's payload is ASCII. */
  ascii: boolean;
}

export interface FrameOptions {
  /** True in a server's decoder, which refuses unmasked frames; a client's refuses masked ones. §5.1 */
  readonly masked: boolean;
  /** True if an extension uses RSV1 (RFC 7692 §6). On control frames it is always refused. */
  readonly allowRsv1: boolean;
}

export const OPCODE = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

/** Bits of a frame's first byte beside the opcode, §5.2: the final fragment of a message; a compressed message (RFC 7692 §6). */
export const FIN = 0x80;
export const RSV1 = 0x40;

/** §5.5. */
const MAX_CONTROL_PAYLOAD = 125;

/** Two bytes, a 64-bit length, a masking key. §5.2 */
const MAX_HEAD = 14;

/** The result of every `next`, shared by all decoders: one each was 104 of the 250 bytes of a silent decoder. */
const PART: FramePart = {
  opcode: 0,
  fin: false,
  rsv1: false,
  length: 0,
  first: false,
  last: false,
  bytes: NO_BYTES,
  start: 0,
  end: 0,
  ascii: false,
};

/**
 * Decodes frames. Pushed bytes belong to the decoder: they are unmasked in place, and parts are views of them. A violation
 * throws BAD_FRAME; from then on `next` returns undefined.
 */
export class FrameDecoder {
  readonly #masked: boolean;
  readonly #allowRsv1: boolean;
  #bytes: Uint8Array = NO_BYTES;
  #at = 0;
  /** Bytes that were pushed while earlier ones were unread. */
  #queue: Queue<Uint8Array> | undefined;
  #queuedBytes = 0;
  /** The bytes of a partial header. */
  #head: Uint8Array | undefined;
  #headLength = 0;
  /** The current frame: first byte of the header, announced length, masking key. */
  #b0 = 0;
  #length = 0;
  #key = 0;
  /** Payload bytes of the current frame that have not been read. */
  #remaining = 0;
  /** The index of the key byte for the next payload byte. */
  #phase = 0;
  /** The payload of a partial control frame. */
  #control: Uint8Array | undefined;
  #spent = false;

  constructor(options: FrameOptions) {
    this.#masked = options.masked;
    this.#allowRsv1 = options.allowRsv1;
  }

  /** True between two frames, without a byte of the next one: a new decoder would behave the same. */
  get isIdle(): boolean {
    const isRead = this.#at === this.#bytes.length && this.#queue === undefined;
    return isRead && this.#remaining === 0 && this.#headLength === 0 && !this.#spent;
  }

  /** Memory of the chunks that are not read to their end. */
  get heldBytes(): number {
    if (this.isIdle) return 0;
    return (this.#at < this.#bytes.length ? this.#bytes.length : 0) + this.#queuedBytes;
  }

  /** True if the unread bytes contain a whole close frame. */
  hasClose(): boolean {
    if (this.#at === this.#bytes.length || this.#control !== undefined) return false;
    return holdsCloseFrame([this.#bytes.subarray(this.#at), ...(this.#queue ?? [])], this.#remaining);
  }

  push(bytes: Uint8Array): void {
    if (this.#spent || bytes.length === 0) return;
    if (this.#at === this.#bytes.length && this.#queue === undefined) {
      this.#bytes = bytes;
      this.#at = 0;
    } else {
      this.#queue ??= new Queue();
      this.#queue.push(bytes);
      this.#queuedBytes += bytes.length;
    }
  }

  next(): FramePart | undefined {
    for (;;) {
      if (this.#at === this.#bytes.length && !this.#nextBytes()) return undefined;
      if (this.#remaining > 0) {
        if (this.#control === undefined) return this.#continueData();
        const part = this.#continueControl(this.#control);
        if (part !== undefined) return part;
      } else if (this.#readHead()) {
        const part = this.#beginPayload();
        if (part !== undefined) return part;
      }
    }
  }

  /** Moves on to the bytes that were pushed next. Returns false if there are none. */
  #nextBytes(): boolean {
    this.#at = 0;
    if (this.#queue === undefined) {
      // An idle connection must not keep its last read in memory.
      this.#bytes = NO_BYTES;
      PART.bytes = NO_BYTES;
      return false;
    }
    this.#bytes = this.#queue.shift()!;
    this.#queuedBytes -= this.#bytes.length;
    if (this.#queue.length === 0) this.#queue = undefined;
    return true;
  }

  /** Reads a header. Returns false if it is incomplete; all bytes are read then. */
  #readHead(): boolean {
    const bytes = this.#bytes;
    if (this.#headLength === 0) {
      const size = this.#parseHead(bytes, this.#at, bytes.length);
      if (size > 0) {
        this.#at += size;
        return true;
      }
    }
    this.#head ??= new Uint8Array(MAX_HEAD);
    while (this.#at < bytes.length) {
      this.#head[this.#headLength++] = bytes[this.#at++]!;
      if (this.#parseHead(this.#head, 0, this.#headLength) === 0) continue;
      this.#headLength = 0;
      return true;
    }
    return false;
  }

  /** Parses bytes[at, end) into first byte, length and key. Returns the header's size, or 0 when it is incomplete. */
  #parseHead(bytes: Uint8Array, at: number, end: number): number {
    const b0 = bytes[at]!;
    const opcode = b0 & 0x0f;
    if ((b0 & 0x30) !== 0 || ((b0 & 0x40) !== 0 && (!this.#allowRsv1 || opcode >= 8))) {
      this.#fail("reserved bits are set");
    }
    if ((opcode & 0x07) > 2) this.#fail("the opcode is reserved");
    if (opcode >= 8 && (b0 & 0x80) === 0) this.#fail("a control frame must not be fragmented");
    if (end - at < 2) return 0;
    const b1 = bytes[at + 1]!;
    if (b1 >= 0x80 !== this.#masked) {
      this.#fail(this.#masked ? "a client's frame must be masked" : "a server's frame must not be masked");
    }
    let length = b1 & 0x7f;
    if (opcode >= 8 && length > MAX_CONTROL_PAYLOAD) this.#fail("a control payload is at most 125 bytes");
    let size = 2;
    if (length === 126) {
      size = 4;
      if (end - at < size) return 0;
      length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
      if (length < 126) this.#fail("the length is not minimal");
    } else if (length === 127) {
      size = 10;
      if (end - at < size) return 0;
      const high = uint32(bytes, at + 2);
      if (high > 0x7fffffff) this.#fail("the length's first bit is set");
      length = high * 0x1_0000_0000 + uint32(bytes, at + 6);
      if (length < 0x1_0000) this.#fail("the length is not minimal");
    }
    if (this.#masked) {
      if (end - at < size + 4) return 0;
      this.#key =
        (bytes[at + size]! << 24) |
        (bytes[at + size + 1]! << 16) |
        (bytes[at + size + 2]! << 8) |
        bytes[at + size + 3]!;
      size += 4;
    }
    this.#b0 = b0;
    this.#length = length;
    return size;
  }

  /** The first part of the frame whose header was just read; undefined for a control frame that is cut. */
  #beginPayload(): FramePart | undefined {
    const bytes = this.#bytes;
    const length = this.#length;
    const start = this.#at;
    const isWhole = length <= bytes.length - start;
    if (!isWhole && (this.#b0 & 0x08) !== 0) {
      this.#control = allocate(length);
      this.#remaining = length;
      return undefined;
    }
    const end = isWhole ? start + length : bytes.length;
    this.#remaining = length - (end - start);
    this.#phase = 0;
    this.#at = end;
    PART.first = true;
    return this.#show(bytes, start, end);
  }

  #continueData(): FramePart {
    const bytes = this.#bytes;
    const start = this.#at;
    const end = this.#remaining <= bytes.length - start ? start + this.#remaining : bytes.length;
    this.#remaining -= end - start;
    this.#at = end;
    PART.first = false;
    return this.#show(bytes, start, end);
  }

  /** Collects a control payload; undefined until it is whole. */
  #continueControl(control: Uint8Array): FramePart | undefined {
    while (this.#remaining > 0 && this.#at < this.#bytes.length) {
      control[control.length - this.#remaining] = this.#bytes[this.#at++]!;
      this.#remaining--;
    }
    if (this.#remaining > 0) return undefined;
    this.#control = undefined;
    this.#phase = 0;
    PART.first = true;
    return this.#show(control, 0, control.length);
  }

  /** Unmasks bytes[start, end) and describes them in `PART`, whose `first` is set. */
  #show(bytes: Uint8Array, start: number, end: number): FramePart {
    PART.opcode = this.#b0 & 0x0f;
    PART.fin = (this.#b0 & 0x80) !== 0;
    PART.rsv1 = (this.#b0 & 0x40) !== 0;
    PART.length = this.#length;
    PART.last = this.#remaining === 0;
    PART.bytes = bytes;
    PART.start = start;
    PART.end = end;
    // An unmasked frame has key 0: this only finds out if it is ASCII.
    PART.ascii = unmask(bytes, start, end, this.#key, this.#phase);
    this.#phase = (this.#phase + end - start) & 3;
    return PART;
  }

  #fail(detail: string): never {
    this.#spent = true;
    this.#bytes = NO_BYTES;
    this.#at = 0;
    this.#queue = undefined;
    throw new ChannelError("BAD_FRAME", detail);
  }
}

/**
 * The header of an unmasked frame, as servers send them, in latin1. `flags`: FIN, RSV1, both (`FIN | RSV1`)
 * or 0.
 */
export function encodeFrameHead(opcode: number, length: number, flags: number = FIN): string {
  const b0 = flags | opcode;
  if (length < 126) return shortHead(b0, length);
  if (length < 0x1_0000) return String.fromCharCode(b0, 126, length >>> 8, length & 0xff);
  const high = Math.floor(length / 0x1_0000_0000);
  return String.fromCharCode(
    b0,
    127,
    high >>> 24,
    (high >>> 16) & 0xff,
    (high >>> 8) & 0xff,
    high & 0xff,
    (length >>> 24) & 0xff,
    (length >>> 16) & 0xff,
    (length >>> 8) & 0xff,
    length & 0xff,
  );
}

/** Headers of two bytes that were made before: JavaScriptCore takes 5 % of an echo to make them. */
const shortHeads: string[][] = [];

function shortHead(b0: number, length: number): string {
  const heads = (shortHeads[b0] ??= []);
  return (heads[length] ??= String.fromCharCode(b0, length));
}

/** A whole masked frame, as clients send them. `key` is four bytes, fresh for each frame: §5.3. */
export function encodeMaskedFrame(opcode: number, payload: Uint8Array, key: Uint8Array, flags?: number): Uint8Array {
  const head = encodeFrameHead(opcode, payload.length, flags);
  const start = head.length + 4;
  const frame = allocate(start + payload.length);
  for (let i = 0; i < head.length; i++) frame[i] = head.charCodeAt(i);
  frame[1]! |= 0x80;
  frame.set(key, head.length);
  frame.set(payload, start);
  unmask(frame, start, frame.length, uint32(key, 0), 0);
  return frame;
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
