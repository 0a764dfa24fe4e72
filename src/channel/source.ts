// The sources of streamed bodies, and how each of them is cancelled.
//
// `iterator.return()` is not enough: for a ReadableStream's iterator, for Node's Readable and for async generators it waits
// until a pending `next()` has settled, which never happens in a silent stream. So a ReadableStream is read through its
// reader and cancelled, and an object with `destroy()` (Node's streams) is destroyed. An async generator that awaits
// something cannot be cancelled before that settles: pass `channel.signal` to the call that it awaits.

import { textStream } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { callSync, guard } from "../base/guard.ts";
import type { MessageForm } from "../transport/transport.ts";
import { type BodyPart, type StreamBody, toPart } from "./body.ts";

/** A streamed body that is being read. */
export interface Source {
  /** The next part. Rejects or throws where the source fails. */
  next(): PromiseLike<IteratorResult<BodyPart, unknown>> | IteratorResult<BodyPart, unknown>;
  /** Stops the source, also while `next` is pending. Never throws. */
  cancel(): void;
}

/**
 * Begins to read. The parts of events are text; a Blob is read in parts only where they are joined to one body. Throws
 * BAD_DATA for a stream that is locked, or whose iterator throws.
 */
export function openSource(body: StreamBody, form: MessageForm): Source {
  // A character could be cut between two events, so a Blob is one event.
  if (body instanceof Blob && form !== "body") return wholeBlob(body);
  const source = open(body instanceof Blob ? body.stream() : body);
  return form === "event" ? asText(source) : source;
}

/**
 * Holds a source that waits for its turn: a Node stream that fails meanwhile emits `error`, which without a listener would
 * be an uncaught exception. The failure is seen when the stream is read.
 */
export function holdSource(body: StreamBody): void {
  const { on } = body as { on?: unknown };
  if (typeof on === "function" && isDestroyable(body)) {
    attempt(() => on.call(body, "error", () => {}));
  }
}

/** Cancels a source that will never be read. Never throws. */
export function discardSource(body: StreamBody): void {
  if (body instanceof Blob) return;
  holdSource(body);
  if (isReadableStream(body)) attempt(() => (body.locked ? undefined : body.cancel()));
  else if (isDestroyable(body)) attempt(() => body.destroy());
  else attempt(() => iteratorToReturn(body)?.return?.());
}

/** `discardSource` for any data of an application: a body, `{ body }`, a Fetch `Response`, or one as a body, which is a mistake. */
export function discardBody(data: unknown): void {
  attempt(() => {
    const body = streamOf(data) ?? streamOf(bodyOf(data)) ?? streamOf(bodyOf(bodyOf(data)));
    if (body !== undefined) discardSource(body);
  });
}

function open(body: Exclude<StreamBody, Blob>): Source {
  try {
    if (isReadableStream(body)) return fromReader(body.getReader());
    holdSource(body);
    const iterator = iteratorOf(body);
    if (!isDestroyable(body)) return fromIterator(iterator, () => iterator.return?.());
    return fromIterator(iterator, () => body.destroy());
  } catch (error) {
    throw new ChannelError("BAD_DATA", "the stream cannot be read: it is locked, or has failed", { cause: error });
  }
}

/** Reads a ReadableStream. The lock is released when the stream has ended, failed, or was cancelled. `begun`: reads that were started before. */
export function fromReader(
  reader: ReadableStreamDefaultReader<BodyPart>,
  begun: ReturnType<typeof reader.read>[] = [],
): Source {
  const release = (): void => attempt(() => reader.releaseLock());
  return {
    async next() {
      try {
        const result = await (begun.shift() ?? reader.read());
        if (result.done) release();
        return result as IteratorResult<BodyPart, unknown>;
      } catch (error) {
        release();
        throw error;
      }
    },
    cancel() {
      // First the cancel, which asks the source to stop; releasing the lock rejects the pending reads.
      attempt(() => reader.cancel());
      release();
    },
  };
}

function fromIterator(iterator: AsyncIterator<BodyPart> | Iterator<BodyPart>, cancel: () => unknown): Source {
  return { next: () => iterator.next(), cancel: () => attempt(cancel) };
}

/** Parts as text. A character that is cut between two parts is in the second one. */
function asText(source: Source): Source {
  const decode = textStream();
  return {
    async next() {
      for (;;) {
        const { done, value } = await source.next();
        if (done) return { done: true, value: undefined };
        const part = toPart(value);
        const text = typeof part === "string" ? part : decode(part);
        if (text !== "") return { done: false, value: text };
      }
    },
    cancel: () => source.cancel(),
  };
}

function wholeBlob(blob: Blob): Source {
  let isRead = false;
  return {
    async next() {
      if (isRead) return { done: true, value: undefined };
      isRead = true;
      return { done: false, value: await blob.arrayBuffer() };
    },
    cancel() {},
  };
}

/** The iterator whose `return` to call: the body itself if it is an iterator, otherwise a new one. */
function iteratorToReturn(body: Exclude<StreamBody, Blob>): { return?(): unknown } {
  return "return" in body ? (body as { return(): unknown }) : iteratorOf(body);
}

/** Throws BAD_OPTION if the method returns a promise, as an `async` one does. */
function iteratorOf(body: Exclude<StreamBody, Blob>): AsyncIterator<BodyPart> | Iterator<BodyPart> {
  return callSync<AsyncIterator<BodyPart> | Iterator<BodyPart>>("the stream's iterator", () =>
    Symbol.asyncIterator in body ? body[Symbol.asyncIterator]() : body[Symbol.iterator](),
  );
}

function bodyOf(value: unknown): unknown {
  return (value as { body?: unknown } | null | undefined)?.body;
}

function streamOf(value: unknown): StreamBody | undefined {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return undefined;
  const isStream = Symbol.asyncIterator in value || Symbol.iterator in value || isReadableStream(value);
  return isStream ? (value as StreamBody) : undefined;
}

function isReadableStream(value: object): value is ReadableStream<BodyPart> {
  return typeof (value as { getReader?: unknown }).getReader === "function";
}

function isDestroyable(value: object): value is { destroy(): unknown } {
  return typeof (value as { destroy?: unknown }).destroy === "function";
}

/** Calls a source that is not read any more. Its failure is ignored. */
function attempt(call: () => unknown): void {
  guard(call, () => {});
}
