// Text and bytes in both directions. The codecs are compiled without any platform types; this file gives them the functions of
// the platform that they need, in terms of Uint8Array and string.

import { memorySize } from "./memory-size.ts";

/** A piece of output: bytes, or a string whose every character is one byte (latin1, U+0000 to U+00FF). */
export type Piece = string | Uint8Array;

/**
 * Node's class, taken once: its global is a getter, which would be called for each use (2 % of a GET by `npm run bench:guard`). Browsers
 * have none, and use no function that wants it.
 */
const NodeBuffer: typeof Buffer = /* @__PURE__ */ (() => (typeof Buffer === "undefined" ? undefined! : Buffer))();

/** Returns the same memory as a Buffer, whose `toString` and `write` run in C++. Costs nothing for bytes from a socket. */
function asBuffer(bytes: Uint8Array): Buffer {
  return NodeBuffer.isBuffer(bytes) ? bytes : NodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Decodes one character per byte, U+0000 to U+00FF. RFC 9110 §5.5: field values are read so. */
export function latin1(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  return asBuffer(bytes).toString("latin1", start, end);
}

/** Encodes a string in which every character is one byte. */
export function latin1Bytes(text: string): Uint8Array {
  return NodeBuffer.from(text, "latin1");
}

/** Decodes UTF-8. Invalid bytes become U+FFFD. */
export function utf8(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  return asBuffer(bytes).toString("utf8", start, end);
}

/** Encodes text as UTF-8. A lone surrogate becomes U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  return NodeBuffer.from(text, "utf8");
}

/** Returns the number of bytes of `text` in UTF-8. */
export function utf8Length(text: string): number {
  return NodeBuffer.byteLength(text, "utf8");
}

/** Returns true if every character is below U+0080: latin1 and UTF-8 are then the same bytes. */
export function isAscii(text: string): boolean {
  return NodeBuffer.byteLength(text, "utf8") === text.length;
}

/**
 * Returns the text in memory of its own. A part of a longer text (`slice`, `split`, `URLSearchParams.get`) keeps all of it
 * alive: a path that is kept for hours would keep the head of its request.
 */
export function detached(text: string): string {
  const encoding = memorySize(text) === text.length ? "latin1" : "utf16le";
  return NodeBuffer.from(text, encoding).toString(encoding);
}

export const NO_BYTES: Uint8Array = /* @__PURE__ */ new Uint8Array(0);

/**
 * Returns the bytes in memory of their own, which no other code can change, move or keep alive. `slice` does not do this for a
 * Buffer: it returns a view (Node.js documentation, `buf.slice`).
 */
export function copied(bytes: Uint8Array): Uint8Array {
  // The constructor would throw for bytes whose buffer was transferred: their length is 0.
  return bytes.length === 0 ? NO_BYTES : new Uint8Array(bytes);
}

/** Returns memory that is not zeroed. The caller overwrites all of it. */
export function allocate(length: number): Uint8Array {
  return NodeBuffer.allocUnsafe(length);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0]! : NodeBuffer.concat(parts);
}

/**
 * Returns a function that decodes a stream of UTF-8. A character that is cut waits for its rest, invalid bytes become U+FFFD,
 * and a byte order mark at the start is dropped. Works in browsers too.
 */
export function textStream(): (bytes: Uint8Array) => string {
  const decoder = new TextDecoder();
  return (bytes) => decoder.decode(bytes, { stream: true });
}

/** The bytes of one piece, or of several. */
export function sizeOf(output: Piece | readonly Piece[]): number {
  if (typeof output === "string" || output instanceof Uint8Array) return output.length;
  let size = 0;
  for (const piece of output) size += piece.length;
  return size;
}

/** Returns true for the same bytes, and for undefined twice. */
export function areEqual(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return asBuffer(a).equals(b);
}
