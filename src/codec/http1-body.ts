// Decoders for request bodies with a Content-Length and for chunked ones. RFC 9112 §6 and §7.1, read strictly.
// They return views of the bytes that were pushed: nothing is copied but small chunks, and lines that have not arrived whole.
// Long because the states of the chunked coding belong in one place.

import { concat, latin1, NO_BYTES } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { bad, CLASS, HEX, isFieldValue, isToken, TOKEN, trimSpace, VALUE } from "./http1-syntax.ts";
import { Joiner } from "./joiner.ts";
import { LineBuffer } from "./line-buffer.ts";

export interface BodyDecoder {
  push(bytes: Uint8Array): void;
  /** The next piece of the body, or undefined until more bytes come. Throws ChannelError; the decoder is then spent. */
  next(): Uint8Array | undefined;
  /** Bytes that wait for `next`. */
  readonly heldBytes: number;
  /** True once `next` has returned the last byte and, in a chunked body, the trailers were read. */
  readonly isDone: boolean;
  /** The bytes after the body, which belong to the next request; undefined when none. */
  takeRest(): Uint8Array | undefined;
}

export interface ChunkedLimits {
  readonly maxBodyBytes: number;
  /** All trailer lines with their line ends. */
  readonly maxTrailerBytes: number;
  readonly maxTrailerCount: number;
}

/** 52 bits: the largest size is a safe integer, also after it is added to the sizes before. */
const MAX_SIZE_DIGITS = 13;
/** RFC 9112 §7.1.1: extensions are ignored, and so must be bounded. No client is known to send any. */
const MAX_EXTENSION_BYTES = 256;
const MAX_EXTENSION_BYTES_IN_ALL = 16 * 1024;

/**
 * A chunk below `SMALL_BYTES` is joined with those behind it that have arrived, until there are `JOINED_BYTES`: each part
 * costs the application a turn. While 40 clients sent chunks of one byte, another client waited for 15 to 20 s; now for 2 s.
 */
const SMALL_BYTES = 1024;
const JOINED_BYTES = 16 * 1024;

/** RFC 9110 §6.5.1: fields for framing, routing, authentication or the description of content must precede the content. */
const FORBIDDEN_TRAILERS: ReadonlySet<string> = new Set(
  `authorization cache-control connection content-encoding content-length content-range content-type
   cookie expect host keep-alive max-forwards proxy-authenticate proxy-authorization proxy-connection
   range set-cookie te trailer transfer-encoding upgrade www-authenticate`.split(/\s+/),
);

const LF = 0x0a;
const CR = 0x0d;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Decodes a body with a Content-Length. RFC 9112 §6.2. */
export class FixedBodyDecoder implements BodyDecoder {
  readonly #joiner = new Joiner();
  #bytes: Uint8Array = NO_BYTES;
  #remaining: number;

  constructor(length: number) {
    this.#remaining = length;
  }

  get isDone(): boolean {
    return this.#remaining === 0;
  }

  get heldBytes(): number {
    return this.#bytes.length;
  }

  push(bytes: Uint8Array): void {
    this.#bytes = this.#joiner.append(this.#bytes, bytes);
  }

  next(): Uint8Array | undefined {
    if (this.#remaining === 0 || this.#bytes.length === 0) return undefined;
    const bytes = this.#bytes;
    const piece = bytes.length <= this.#remaining ? bytes : bytes.subarray(0, this.#remaining);
    this.#bytes = piece === bytes ? NO_BYTES : bytes.subarray(piece.length);
    this.#remaining -= piece.length;
    return piece;
  }

  takeRest(): Uint8Array | undefined {
    const rest = this.#bytes;
    this.#bytes = NO_BYTES;
    return rest.length === 0 ? undefined : rest;
  }
}

type State = "size" | Extension | "sizeLF" | "data" | "dataCR" | "dataLF" | "trailer" | "done";
/** The position in a chunk extension: before its name, in it, before its value, in a token or quoted string, after that. */
type Extension = "extension" | "name" | "value" | "token" | "quoted" | "escaped" | "quotedEnd";

/** RFC 9112 §7.1: chunk-size [ chunk-ext ] CRLF chunk-data CRLF … 0 CRLF trailers CRLF. */
export class ChunkedBodyDecoder implements BodyDecoder {
  readonly #limits: ChunkedLimits;
  /** Name, value, name, value, …, complete once `isDone`. RFC 9110 §6.5. */
  readonly trailers: string[] = [];
  readonly #line = new LineBuffer();
  readonly #joiner = new Joiner();
  #bytes: Uint8Array = NO_BYTES;
  #at = 0;
  #state: State = "size";
  /** The size that the size line has announced so far, and the number of its digits. */
  #size = 0;
  #digits = 0;
  /** Data bytes of the current chunk that have not been read. */
  #remaining = 0;
  #extensionBytes = 0;
  #extensionBytesInAll = 0;
  #bodyBytes = 0;
  #trailerBytes = 0;
  /** The error that the next call of `next` throws. */
  #failure: unknown;

  constructor(limits: ChunkedLimits) {
    this.#limits = limits;
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  get heldBytes(): number {
    return this.#bytes.length + this.#line.bytes.length;
  }

  push(bytes: Uint8Array): void {
    this.#bytes = this.#joiner.append(this.#at === 0 ? this.#bytes : this.#bytes.subarray(this.#at), bytes);
    this.#at = 0;
  }

  next(): Uint8Array | undefined {
    const first = this.#nextOfChunk();
    if (first === undefined || first.length >= SMALL_BYTES) return first;
    const parts = [first];
    try {
      for (let length = first.length; length < JOINED_BYTES; length += parts.at(-1)!.length) {
        const part = this.#nextOfChunk();
        if (part === undefined) break;
        parts.push(part);
      }
    } catch (error) {
      // The data before it is returned first, as if each chunk had arrived alone.
      this.#failure = error;
    }
    return parts.length === 1 ? first : concat(parts);
  }

  #nextOfChunk(): Uint8Array | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    while (this.#at < this.#bytes.length && this.#state !== "done") {
      if (this.#state === "data") return this.#takeData();
      if (this.#state === "trailer") this.#readTrailer();
      else this.#readByte(this.#bytes[this.#at++]!);
    }
    if (this.#at === this.#bytes.length) this.#releaseBytes();
    return undefined;
  }

  takeRest(): Uint8Array | undefined {
    const rest = this.#bytes.subarray(this.#at);
    this.#releaseBytes();
    return rest.length === 0 ? undefined : rest;
  }

  #readByte(byte: number): void {
    switch (this.#state) {
      case "size":
        if (CLASS[byte]! & HEX) this.#addDigit(byte);
        else if (this.#digits === 0) throw bad("chunk size is not bare hex");
        else if (byte === CR) this.#state = "sizeLF";
        else if (byte === SEMICOLON) this.#state = "extension";
        else throw bad("chunk size is not bare hex");
        return;
      case "sizeLF":
        if (byte !== LF) throw bad("CR without LF");
        this.#startChunk();
        return;
      case "dataCR":
        if (byte !== CR) throw bad("chunk is longer than its size");
        this.#state = "dataLF";
        return;
      case "dataLF":
        if (byte !== LF) throw bad("CR without LF");
        this.#state = "size";
        return;
      case "data":
      case "trailer":
      case "done":
        return;
      default:
        this.#skipExtensionByte(this.#state, byte);
    }
  }

  #addDigit(byte: number): void {
    if (++this.#digits > MAX_SIZE_DIGITS) throw bad("chunk size has too many digits");
    // "0" to "9" end in their value; "A" to "F" and "a" to "f" in one to six.
    this.#size = this.#size * 16 + (byte & 0x0f) + (byte > 0x39 ? 9 : 0);
  }

  #skipExtensionByte(state: Extension, byte: number): void {
    this.#state = inExtension(state, byte);
    if (byte === CR) return;
    this.#extensionBytesInAll++;
    if (++this.#extensionBytes > MAX_EXTENSION_BYTES) throw bad("chunk extension is too long");
    if (this.#extensionBytesInAll > MAX_EXTENSION_BYTES_IN_ALL) throw bad("too many chunk extensions");
  }

  /** Begins a chunk after its size line. The size of the body is checked before any of the data arrives. */
  #startChunk(): void {
    this.#digits = 0;
    this.#extensionBytes = 0;
    this.#bodyBytes += this.#size;
    if (this.#bodyBytes > this.#limits.maxBodyBytes) throw new ChannelError("BODY_TOO_LARGE");
    this.#state = this.#size === 0 ? "trailer" : "data";
    this.#remaining = this.#size;
    this.#size = 0;
  }

  #takeData(): Uint8Array {
    const piece = this.#bytes.subarray(this.#at, this.#at + this.#remaining);
    this.#at += piece.length;
    this.#remaining -= piece.length;
    if (this.#remaining === 0) this.#state = "dataCR";
    return piece;
  }

  /** RFC 9112 §7.1.2. Reads up to the end of a line or of the bytes. */
  #readTrailer(): void {
    const found = this.#bytes.indexOf(LF, this.#at);
    const end = found === -1 ? this.#bytes.length : found + 1;
    this.#line.append(this.#bytes, this.#at, end);
    this.#at = end;
    const { bytes, length } = this.#line;
    const isBlank = bytes[0] === CR;
    if (!isBlank && this.#trailerBytes + length > this.#limits.maxTrailerBytes) {
      throw new ChannelError("HEADERS_TOO_LARGE", "trailers");
    }
    if (isBlank && length > 1 && bytes[1] !== LF) throw bad("CR without LF");
    if (found === -1) return;
    if (bytes[length - 2] !== CR) throw bad("LF without CR");
    if (isBlank) this.#state = "done";
    else this.#addTrailer(latin1(bytes, 0, length - 2));
    this.#trailerBytes += length;
    this.#line.clear();
  }

  #addTrailer(line: string): void {
    if (this.trailers.length >= this.#limits.maxTrailerCount * 2)
      throw new ChannelError("HEADERS_TOO_LARGE", "trailers");
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    const value = trimSpace(line.slice(colon + 1));
    if (!isToken(name)) throw bad("trailer name is not a token");
    if (!isFieldValue(value)) throw bad("trailer value has a control character");
    if (FORBIDDEN_TRAILERS.has(name.toLowerCase())) throw bad("field is not allowed in trailers");
    this.trailers.push(name, value);
  }

  #releaseBytes(): void {
    this.#bytes = NO_BYTES;
    this.#at = 0;
  }
}

/** RFC 9112 §7.1.1: *( ";" token [ "=" ( token / quoted-string ) ] ), without the white space that is "bad" there. */
function inExtension(state: Extension, byte: number): State {
  const kind = CLASS[byte]!;
  switch (state) {
    case "extension":
      if (kind & TOKEN) return "name";
      break;
    case "name":
      if (kind & TOKEN) return "name";
      return byte === EQUALS ? "value" : afterExtension(byte);
    case "value":
      if (kind & TOKEN) return "token";
      if (byte === QUOTE) return "quoted";
      break;
    case "token":
      return kind & TOKEN ? "token" : afterExtension(byte);
    case "quoted":
      if (byte === QUOTE) return "quotedEnd";
      if (byte === BACKSLASH) return "escaped";
      if (kind & VALUE) return "quoted";
      break;
    case "escaped":
      if (kind & VALUE) return "quoted";
      break;
    case "quotedEnd":
      return afterExtension(byte);
  }
  throw bad("chunk extension is malformed");
}

function afterExtension(byte: number): State {
  if (byte === CR) return "sizeLF";
  if (byte === SEMICOLON) return "extension";
  throw bad("chunk extension is malformed");
}
