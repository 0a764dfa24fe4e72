// The bodies that an application may send: whole, or a stream of parts.

import { ChannelError } from "../base/errors.ts";

/** One part of a streamed body. */
export type BodyPart = string | Uint8Array | ArrayBuffer;

/** A body in parts. */
export type StreamBody = Blob | ReadableStream<BodyPart> | AsyncIterable<BodyPart> | Iterable<BodyPart>;

/** A body. Bytes are not copied, but by a session: do not change them before `drained()`. */
export type SendBody = string | Uint8Array | ArrayBuffer | StreamBody | null;

/** Converts a part to text or bytes. Throws BAD_DATA for anything else. */
export function toPart(part: unknown): string | Uint8Array {
  if (typeof part === "string" || part instanceof Uint8Array) return part;
  if (part instanceof ArrayBuffer) return new Uint8Array(part);
  throw unsendable(part);
}

export function isIterable(value: object): value is AsyncIterable<BodyPart> | Iterable<BodyPart> {
  return Symbol.asyncIterator in value || Symbol.iterator in value;
}

/** The error for a value that cannot be sent. */
export function unsendable(value: unknown): ChannelError {
  const what =
    value === undefined ? "undefined" : typeof value === "object" ? "an object with other keys" : typeof value;
  return new ChannelError(
    "BAD_DATA",
    `${what}; send text, bytes, a Blob, a stream, null, { status, headers, body }, or use json(value)`,
  );
}
