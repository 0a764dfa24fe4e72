// The bodies that an application may send: whole, or a stream of parts.

import { ChannelError } from "../base/errors.ts";
import { isRefusedPromise } from "../base/guard.ts";

/** One part of a streamed body. */
export type BodyPart = string | Uint8Array | ArrayBuffer;

/** A body in parts. */
export type StreamBody = Blob | ReadableStream<BodyPart> | AsyncIterable<BodyPart> | Iterable<BodyPart>;

/** A body. Bytes are not copied, but by a session: do not change them before `drained()`. */
export type SendBody = string | Uint8Array | ArrayBuffer | StreamBody | null;

/** Converts a part to text or bytes. Throws BAD_DATA for anything else. */
export function toPart(part: unknown): string | Uint8Array {
  if (typeof part === "string") return part;
  if (part instanceof Uint8Array) return part.length === 0 ? bytesOf(part) : part;
  if (part instanceof ArrayBuffer) return bytesOf(part);
  throw unsendable(part);
}

/** The bytes of a buffer or of a view of one. Throws BAD_DATA if the buffer was transferred: nothing is left in it. */
export function bytesOf(body: ArrayBuffer | ArrayBufferView): Uint8Array {
  try {
    if (body instanceof ArrayBuffer) return new Uint8Array(body);
    return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  } catch (cause) {
    throw new ChannelError("BAD_DATA", "the buffer was transferred; send it before, or a copy", { cause });
  }
}

export function isIterable(value: object): value is AsyncIterable<BodyPart> | Iterable<BodyPart> {
  return Symbol.asyncIterator in value || Symbol.iterator in value;
}

/** The error for a value that cannot be sent. The rejection of a promise is taken. */
export function unsendable(value: unknown): ChannelError {
  if (isRefusedPromise(value)) return promiseGiven();
  const what =
    value === undefined ? "undefined" : typeof value === "object" ? "an object with other keys" : typeof value;
  return new ChannelError(
    "BAD_DATA",
    `${what}; send text, bytes, a Blob, a stream, null, { status, headers, body }, or use json(value)`,
  );
}

export function promiseGiven(): ChannelError {
  return new ChannelError("BAD_DATA", "it is a promise; await it first");
}
