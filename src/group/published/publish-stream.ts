// The contract of `publishStream`: the source of a stream, its options and its result.

import { ChannelError } from "../../base/errors.ts";
import {
  badValue,
  checkAmount,
  checkBoolean,
  checkFinite,
  checkMethods,
  checkOptions,
  type ValueCheck,
} from "../../base/option-values.ts";
import { toJson } from "../../channel/send-data.ts";
import type { StreamOutcome } from "../../protocol/stream-message.ts";

/** Parts of a stream, read one after another. */
export type Parts<Part> = AsyncIterable<Part> | ReadableStream<Part>;

/**
 * The source of a stream: its parts, or a function that makes them. The function gets a signal that aborts when the stream is
 * stopped: give it to the request that the parts come from.
 */
export type PartSource<Part> = Parts<Part> | ((signal: AbortSignal) => Parts<Part> | PromiseLike<Parts<Part>>);

/** How much of a stream its group keeps for viewers that come later. */
export interface StreamKeep {
  /** Number of messages. @default 10,000, or `history.size` of the store if that is more */
  readonly size?: number | undefined;
  /** Age in milliseconds after which a message is dropped. @default 600,000, or `history.ttlMs` of the store if that is more */
  readonly ttlMs?: number | undefined;
}

/** The options of `publishStream`. */
export interface PublishStreamOptions {
  /** Stops the stream when it aborts, like `stopStream`. */
  readonly signal?: AbortSignal | undefined;
  /** A JSON value for the viewers, in the first message: the question, or who has asked it. */
  readonly info?: unknown;
  /**
   * Least time between two messages, in milliseconds. Parts that arrive meanwhile are one message. 0: those of one turn are.
   * @default 50
   */
  readonly coalesceMs?: number | undefined;
  /** Stops the stream that the group has, in whichever process, and begins when it is over. @default false: STREAM_BUSY */
  readonly replace?: boolean | undefined;
  /** How much of the stream is kept. The limits on bytes of the store's `history` apply, too. */
  readonly keep?: StreamKeep | undefined;
}

/** The result of `publishStream`. */
export interface StreamResult {
  /** The name of the stream in its messages. */
  readonly stream: string;
  /** How it has ended. */
  readonly end: StreamOutcome;
  /** Why it has failed or was lost. `onError` of the store was told, too. */
  readonly error?: unknown;
}

export const KEEP: Readonly<Record<keyof StreamKeep, ValueCheck>> = { size: checkAmount, ttlMs: checkAmount };

const checkSignal = checkMethods("an AbortSignal", ["addEventListener", "removeEventListener"]);

export const PUBLISH_STREAM_OPTIONS: Readonly<Record<keyof PublishStreamOptions, ValueCheck>> = {
  signal: checkSignal,
  info: (name, value) => {
    if (toJson(value) === undefined) throw new ChannelError("BAD_DATA", `JSON has no form for ${name}`);
  },
  coalesceMs: checkFinite,
  replace: checkBoolean,
  keep: (name, value) => checkOptions(name, value, KEEP, `${name}.`),
};

/** Throws BAD_OPTION for a value that is no source. */
export function checkPartSource(source: unknown): void {
  if (typeof source === "function") return;
  if (typeof source === "object" && source !== null) {
    if (Symbol.asyncIterator in source || source instanceof ReadableStream) return;
  }
  throw badValue(
    "the source of publishStream",
    source,
    "an async iterable, a ReadableStream, or a function that makes one",
  );
}

/** Throws BAD_OPTION for a result of a function that is no source: often the `Response` of a `fetch`. A list is one that has ended. */
export function checkMade(parts: unknown): void {
  if (typeof parts === "object" && parts !== null) {
    if (Symbol.asyncIterator in parts || Symbol.iterator in parts || "getReader" in parts) return;
  }
  throw badValue(
    "the result of the function that publishStream got",
    parts,
    "an async iterable or a ReadableStream, such as the body of a Response",
  );
}
