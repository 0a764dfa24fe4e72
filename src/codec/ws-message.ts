// Joins frames to WebSocket messages: RFC 6455 §5.4 (fragmentation), §5.5 (control frames), §5.6 (data), §7.1.5 and §7.4
// (close), §8.1 (UTF-8); RFC 7692 §6 (which messages are compressed). Limits are checked when a header announces a length,
// before its payload is buffered.
// Long because joining, limits and the checks of text share the state of the message.

import { allocate, latin1, NO_BYTES, utf8, utf8Bytes } from "../base/bytes.ts";
import { ChannelError, type ErrorCode } from "../base/errors.ts";
import { show } from "../base/option-values.ts";
import { Utf8Validator } from "./utf8.ts";
import { FrameDecoder, type FrameOptions, type FramePart, OPCODE } from "./ws-frame.ts";

export type WebSocketEvent =
  | { readonly type: "message"; readonly data: string | Uint8Array }
  /** A whole compressed message (RSV1). `inflatedData` makes a message of its inflated payload. */
  | { readonly type: "compressed"; readonly isText: boolean; readonly data: Uint8Array }
  | { readonly type: "ping"; readonly data: Uint8Array }
  | { readonly type: "pong"; readonly data: Uint8Array }
  /** The code is 1005 if the frame was empty. */
  | { readonly type: "close"; readonly code: number; readonly reason: string };

export interface MessageLimits {
  /** Payload bytes of one message, all fragments together, as they were sent. Above it: MESSAGE_TOO_BIG, 1009. */
  readonly maxMessageBytes: number;
  /**
   * Data frames of one message, empty ones too, that may be of any size. In a message of more they must have
   * MIN_FRAGMENT_BYTES on average. Otherwise: TOO_MANY_FRAGMENTS, 1008.
   */
  readonly maxFragments: number;
}

export interface UnfinishedMessage {
  /** The time at which the owner of a clock saw it first. */
  since: number | undefined;
  bytes: number;
}

/** §5.5.1: 125 bytes of payload, two of which are the code. */
const MAX_REASON_BYTES = 123;

/** §7.1.5: the code of a close frame without one. */
const NO_STATUS = 1005;

/**
 * A binary message of at most COPY_BYTES out of a read of more than PIN_BYTES is copied (some 150 ns): a view would keep
 * the whole read in memory for as long as the user keeps the message. All others are views (some 50 ns).
 */
const COPY_BYTES = 1024;
const PIN_BYTES = 8192;

/** The first buffer for a message in parts, unless the announced length is below twice this; it doubles when it is full. */
const FIRST_BUFFER_BYTES = 16_384;

/** The first buffer is at most this many times as large as the bytes that have arrived: the rest may never arrive. */
const FIRST_GROWTH = 16;

/**
 * A fragment costs time (some 0.3 µs, as much as 64 bytes of payload), not memory, since payloads are joined as they arrive.
 * So a message within its limit is never refused for its number of fragments of this size.
 */
const MIN_FRAGMENT_BYTES = 64;

/** RFC 7692 §6: joins the opcode of a message whose first frame has RSV1 set. */
const COMPRESSED = 0x40;

/**
 * Decodes messages, pings, pongs and the close. Pushed bytes belong to the decoder; the data of a large binary message may be
 * a view of them. After the close frame, and after an error, `next` returns undefined.
 * Throws BAD_FRAME, BAD_UTF8, MESSAGE_TOO_BIG and TOO_MANY_FRAGMENTS, each with the close code that fails the connection.
 */
export class MessageDecoder {
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
  readonly options: FrameOptions;
  readonly #frames: FrameDecoder;
  /** TEXT or BINARY, either with COMPRESSED, while a message is under way, otherwise CONTINUATION. */
  #opcode: number = OPCODE.CONTINUATION;
  #fragments = 0;
  /** The sum of the lengths that the message's frames announced. */
  #announced = 0;
  /** The payload so far is #buffer[0, #length). */
  #buffer: Uint8Array = NO_BYTES;
  /** The read of which a message that was returned is a view. */
  #lent: Uint8Array = NO_BYTES;
  #length = 0;
  #isAscii = true;
  #validator: Utf8Validator | undefined;
  #unfinished: UnfinishedMessage | undefined;
  #spent = false;

  constructor(limits: MessageLimits, options: FrameOptions) {
    this.#frames = new FrameDecoder(options);
    this.maxMessageBytes = limits.maxMessageBytes;
    this.maxFragments = limits.maxFragments;
    this.options = options;
  }

  /** True between two messages, without a byte of the next one: a new decoder would behave the same. */
  get isIdle(): boolean {
    return this.#opcode === OPCODE.CONTINUATION && !this.#spent && this.#frames.isIdle;
  }

  hasClose(): boolean {
    return !this.#spent && this.#frames.hasClose();
  }

  /** Memory of received bytes that were not returned. */
  get heldBytes(): number {
    return this.#buffer.length + this.#frames.heldBytes;
  }

  /** The message or control frame that has arrived in part; undefined between two. The same object until it is whole. */
  get unfinished(): UnfinishedMessage | undefined {
    if (this.isIdle) return undefined;
    this.#unfinished ??= { since: undefined, bytes: 0 };
    this.#unfinished.bytes = this.#length;
    return this.#unfinished;
  }

  push(bytes: Uint8Array): void {
    if (!this.#spent) this.#frames.push(bytes);
  }

  next(): WebSocketEvent | undefined {
    if (this.#spent) return undefined;
    try {
      for (;;) {
        const part = this.#frames.next();
        if (part === undefined) {
          this.#lent = NO_BYTES;
          return undefined;
        }
        if (part.opcode >= OPCODE.CLOSE) {
          if (this.#opcode === OPCODE.CONTINUATION) this.#unfinished = undefined;
          return this.#control(part);
        }
        if (part.first) this.#beginFrame(part);
        if (part.first && part.last && part.fin && this.#fragments === 1) return this.#wholeMessage(part);
        this.#add(part);
        if (part.last && part.fin) return this.#joinedMessage();
      }
    } catch (error) {
      this.#spend();
      throw error;
    }
  }

  /** Checks the header of a data frame against the message so far and the limits. §5.4 */
  #beginFrame(part: FramePart): void {
    if (part.opcode === OPCODE.CONTINUATION) {
      if (this.#opcode === OPCODE.CONTINUATION) fail("BAD_FRAME", "there is no message to continue");
      // RFC 7692 §6.1: RSV1 belongs to the message, and is set on its first frame only.
      if (part.rsv1) fail("BAD_FRAME", "RSV1 is set on a continuation");
    } else {
      if (this.#opcode !== OPCODE.CONTINUATION) fail("BAD_FRAME", "the message before is not finished");
      // The frame decoder has refused RSV1 unless an extension uses it.
      this.#opcode = part.rsv1 ? part.opcode | COMPRESSED : part.opcode;
    }
    this.#announced += part.length;
    if (this.#announced > this.maxMessageBytes) fail("MESSAGE_TOO_BIG");
    // The last frame may be smaller: it often is empty.
    const isMany = ++this.#fragments > this.maxFragments;
    if (isMany && this.#announced < MIN_FRAGMENT_BYTES * (this.#fragments - 1)) fail("TOO_MANY_FRAGMENTS");
  }

  /** A message in one frame that has arrived whole: nothing is buffered. */
  #wholeMessage(part: FramePart): WebSocketEvent {
    const { bytes, start, end } = part;
    const opcode = this.#opcode;
    this.#forget();
    if (opcode > COMPRESSED) {
      this.#lent = bytes;
      return compressed(opcode, bytes.subarray(start, end));
    }
    const isText = opcode === OPCODE.TEXT;
    // latin1() for short text too: character codes win only below 16 bytes (8 bytes: 38 against 80 ns, 32: 122 against 75).
    if (isText) return { type: "message", data: part.ascii ? latin1(bytes, start, end) : validText(bytes, start, end) };
    const isCopied = end - start <= COPY_BYTES && bytes.length > PIN_BYTES;
    if (isCopied) return { type: "message", data: copy(bytes, start, end) };
    this.#lent = bytes;
    return { type: "message", data: bytes.subarray(start, end) };
  }

  /** Appends a part of the payload, text only if it may still become valid UTF-8. */
  #add(part: FramePart): void {
    const { bytes, start, end } = part;
    if (this.#opcode === OPCODE.TEXT && !(part.ascii && this.#isAscii)) {
      this.#isAscii = false;
      this.#validator ??= new Utf8Validator();
      if (!this.#validator.push(bytes, start, end)) fail("BAD_UTF8");
    }
    const length = this.#length + end - start;
    if (this.#length === 0 && this.#fits(part)) {
      this.#buffer = bytes;
      bytes.copyWithin(0, start, end);
    } else {
      if (length > this.#buffer.length) this.#grow(length, part.fin);
      this.#buffer.set(bytes.subarray(start, end), this.#length);
    }
    this.#length = length;
  }

  /**
   * True if the payload is joined in the memory of the read in which it began: nobody else has a part of it, it is long enough, and not
   * more than twice as long as needed. That takes 3 µs for 64 KiB, and new memory 6 to 20 (bench/micro/joined-read.js). `bytes` may be a
   * view of a larger memory: of a read with many HTTP/2 frames.
   */
  #fits({ bytes, last }: FramePart): boolean {
    const announced = this.#announced;
    if (last || bytes === this.#lent || announced > bytes.length) return false;
    return 2 * announced >= bytes.buffer.byteLength;
  }

  /**
   * Copies payload in parts to one buffer instead of keeping views: a message that trickles in by single bytes
   * would keep a read or an object of a hundred bytes for each. `isLast`: no fragment follows; if one may follow, the buffer
   * gets room for more, or each fragment would copy all earlier ones.
   */
  #grow(length: number, isLast: boolean): void {
    const most = isLast ? this.#announced : this.maxMessageBytes;
    const first = Math.min(this.#announced, FIRST_BUFFER_BYTES, FIRST_GROWTH * length);
    const wanted = Math.max(length, 2 * this.#buffer.length, first);
    // The announced length, if it is at most twice as much: 64 KiB arrive in two reads, the second of a few bytes.
    const larger = allocate(isLast && 2 * wanted >= most ? most : Math.min(most, wanted));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }

  #joinedMessage(): WebSocketEvent {
    const buffer = this.#buffer;
    const length = this.#length;
    const opcode = this.#opcode;
    const isText = opcode === OPCODE.TEXT;
    const isAscii = this.#isAscii;
    if (isText && !isAscii && !this.#validator!.isComplete) fail("BAD_UTF8", "the last character is cut");
    this.#forget();
    if (opcode > COMPRESSED) return compressed(opcode, buffer.subarray(0, length));
    if (!isText) return { type: "message", data: buffer.subarray(0, length) };
    return { type: "message", data: isAscii ? latin1(buffer, 0, length) : utf8(buffer, 0, length) };
  }

  #control(part: FramePart): WebSocketEvent {
    const { bytes, start, end } = part;
    if (part.opcode === OPCODE.PING) return { type: "ping", data: copy(bytes, start, end) };
    if (part.opcode === OPCODE.PONG) return { type: "pong", data: copy(bytes, start, end) };
    const event = closeEvent(bytes, start, end);
    this.#spend();
    return event;
  }

  /** Resets to the state between two messages. */
  #forget(): void {
    this.#opcode = OPCODE.CONTINUATION;
    this.#fragments = 0;
    this.#announced = 0;
    this.#buffer = NO_BYTES;
    this.#length = 0;
    this.#isAscii = true;
    this.#unfinished = undefined;
    this.#validator?.reset();
  }

  #spend(): void {
    this.#forget();
    this.#spent = true;
  }
}

/** The data of a compressed message that was inflated. Throws BAD_UTF8. */
export function inflatedData(bytes: Uint8Array, isText: boolean): string | Uint8Array {
  return isText ? validText(bytes, 0, bytes.length) : bytes;
}

/**
 * True for a code that a close frame may have: §7.4.1, and the registry of §11.7 for 1012 to 1014. 1004, 1005, 1006 and 1015 are
 * never sent, and 1016 to 2999 are not assigned (§7.4.2).
 */
export function isCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/**
 * The payload of a close frame; empty for 1005, which means "no code". Throws BAD_CLOSE for a code that must not be sent
 * and for a reason of more than 123 bytes.
 */
export function encodeClosePayload(code: number, reason: string): Uint8Array {
  if (code === NO_STATUS) {
    if (reason !== "") fail("BAD_CLOSE", "a reason needs a code");
    return NO_BYTES;
  }
  if (!isCloseCode(code))
    fail("BAD_CLOSE", `the code is ${show(code)}; it must be 1000 to 1003, 1007 to 1014 or 3000 to 4999`);
  const text = utf8Bytes(reason);
  if (text.length > MAX_REASON_BYTES) fail("BAD_CLOSE", "the reason is longer than 123 bytes");
  const payload = allocate(2 + text.length);
  payload[0] = code >>> 8;
  payload[1] = code & 0xff;
  payload.set(text, 2);
  return payload;
}

function compressed(opcode: number, data: Uint8Array): WebSocketEvent {
  return { type: "compressed", isText: opcode === (OPCODE.TEXT | COMPRESSED), data };
}

/** §5.5.1: no payload, or a code and a reason. */
function closeEvent(bytes: Uint8Array, start: number, end: number): WebSocketEvent {
  if (start === end) return { type: "close", code: NO_STATUS, reason: "" };
  if (end - start === 1) fail("BAD_FRAME", "a close payload of one byte");
  const code = (bytes[start]! << 8) | bytes[start + 1]!;
  if (!isCloseCode(code)) fail("BAD_FRAME", `close code ${code}`);
  return { type: "close", code, reason: validText(bytes, start + 2, end) };
}

/**
 * Decoding replaces invalid bytes by U+FFFD, so a text without U+FFFD was valid and needs no further check: 1 KiB of
 * CJK takes 0.3 instead of 1.4 µs on Node 24, 6 instead of 8 on Node 20.
 */
function validText(bytes: Uint8Array, start: number, end: number): string {
  const text = utf8(bytes, start, end);
  if (text.includes("\ufffd")) {
    const validator = new Utf8Validator();
    if (!validator.push(bytes, start, end) || !validator.isComplete) fail("BAD_UTF8");
  }
  return text;
}

function copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (start === end) return NO_BYTES;
  const copied = allocate(end - start);
  // Below 32 bytes the loop wins; at 64 it loses by some 30 ns, at 1 KiB by 2 µs (bench/micro/copy.js).
  if (end - start > 32) copied.set(bytes.subarray(start, end));
  else for (let i = start; i < end; i++) copied[i - start] = bytes[i]!;
  return copied;
}

function fail(code: ErrorCode, detail?: string): never {
  throw new ChannelError(code, detail);
}
