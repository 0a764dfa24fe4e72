// A message that is published to a group: a value that every transport, every process and the history can carry. Streams,
// status and headers belong to one answer and cannot be published.

import { copied, utf8Length } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { memorySize } from "../base/memory-size.ts";
import type { AnyChannel } from "../channel/channel.ts";
import { NO_FIELDS } from "../channel/headers.ts";
import { PreparedMessage } from "../channel/prepared-message.ts";
import { isSendInit, json, type SendData, toSendable } from "../channel/send-data.ts";
import { EncodedMessage } from "../protocol/encoded-message.ts";

export interface GroupMessage {
  /** `json`: `data` is the JSON text of a value. */
  readonly kind: "text" | "bytes" | "json";
  readonly data: string | Uint8Array;
  /** Type of a Server-Sent Event. */
  readonly event: string | undefined;
  /** Content-Type of an HTTP answer with this message, if it is not the usual one of its kind. */
  readonly contentType: string | undefined;
}

/** A message of a group's history, as `history` returns it. */
export interface HistoryMessage {
  /** The id that `publish` resolved with; a later `since`. */
  readonly id: string;
  /** A string, bytes, or the value that was published as JSON. */
  readonly data: unknown;
  /** Type of the event, if `event()` gave it one. */
  readonly event?: string;
}

/** Longest type of an event, and longest Content-Type. */
const MAX_FIELD_BYTES = 1024;

/** Least memory that an entry counts for in a history. */
const MIN_ENTRY_BYTES = 64;

export const JSON_TYPE = "application/json; charset=utf-8";

/** A message with its place in the group's stream. Each of its forms on the wire is encoded once, when it is first needed. */
export class GroupEntry {
  readonly id: string;
  readonly message: GroupMessage;
  /** Time of its arrival, in milliseconds. */
  readonly atMs: number;
  /** Memory that it counts for in a history, in bytes. */
  readonly bytes: number;
  /** The member that does not receive it. Held weakly: the history outlives channels. */
  readonly #except: WeakRef<AnyChannel> | undefined;
  #plain: PreparedMessage | undefined;
  #withId: PreparedMessage | undefined;
  #json: string | undefined;

  constructor(id: string, message: GroupMessage, atMs: number, except?: AnyChannel) {
    this.id = id;
    this.message = message;
    this.atMs = atMs;
    this.bytes = sizeOf(message);
    this.#except = except === undefined ? undefined : new WeakRef(except);
  }

  get except(): AnyChannel | undefined {
    return this.#except?.deref();
  }

  /** The message as it was published. An event stream adds the id. */
  get plain(): PreparedMessage {
    this.#plain ??= this.#encoded(this.message.data, contentTypeOf(this.message));
    return this.#plain;
  }

  /** The message as JSON with its id, for members that asked for it. */
  withId(group: string): PreparedMessage {
    this.#withId ??= this.#encoded(`{"group":${JSON.stringify(group)},${this.json.slice(1)}`, JSON_TYPE);
    return this.#withId;
  }

  /** Returns `{"id":…,"event":…,"data":…}`. Bytes are in base64, and the object says so. */
  get json(): string {
    this.#json ??= `{"id":${JSON.stringify(this.id)},${jsonMembers(this.message)}}`;
    return this.#json;
  }

  /** Drops the encoded forms, which no limit of the history counts: called after delivery, replays and answers of polls. */
  release(): void {
    this.#plain = undefined;
    this.#withId = undefined;
    this.#json = undefined;
  }

  #encoded(body: string | Uint8Array, contentType: string | undefined): PreparedMessage {
    const { event } = this.message;
    return new PreparedMessage(
      new EncodedMessage({
        status: undefined,
        fields: contentType === undefined ? NO_FIELDS : ["Content-Type", contentType],
        body,
        event: event === undefined ? { id: this.id } : { event, id: this.id },
        length: undefined,
      }),
    );
  }

  toHistory(): HistoryMessage {
    const { kind, data, event } = this.message;
    // A caller of `history` may write into the bytes, so the history keeps its own.
    const own = typeof data === "string" ? data : copied(data);
    const value = kind === "json" ? JSON.parse(data as string) : own;
    return { id: this.id, data: value, ...(event === undefined ? {} : { event }) };
  }
}

/** An entry without data takes memory as well. */
function sizeOf({ data, event, contentType }: GroupMessage): number {
  const fields = memorySize(event ?? "") + memorySize(contentType ?? "");
  return Math.max(MIN_ENTRY_BYTES, memorySize(data) + fields);
}

/** Throws BAD_DATA for a value that cannot be published. */
export function toGroupMessage(value: unknown): GroupMessage {
  if (typeof value === "string") return { kind: "text", data: value, event: undefined, contentType: undefined };
  if (isStream(value)) throw new ChannelError("BAD_DATA", "a stream or Blob cannot be published");
  const { message, parts } = toSendable(toSendData(value));
  if (parts !== undefined) throw new ChannelError("BAD_DATA", "a stream or Blob cannot be published");
  const { body, status, fields, event } = message;
  if (body === null) throw new ChannelError("BAD_DATA", "a message without data cannot be published");
  if (status !== undefined) throw new ChannelError("BAD_DATA", "a status cannot be published");
  if (event?.id !== undefined || event?.retry !== undefined) {
    throw new ChannelError("BAD_DATA", "the id and retry of an event cannot be published: the store gives the ids");
  }
  const type = onlyContentType(fields);
  if (event?.event !== undefined && !isEventType(event.event)) {
    throw new ChannelError(
      "BAD_DATA",
      `the type of an event must have no line break and at most ${MAX_FIELD_BYTES} bytes`,
    );
  }
  if (utf8Length(type ?? "") > MAX_FIELD_BYTES)
    throw new ChannelError("BAD_DATA", `the Content-Type must have at most ${MAX_FIELD_BYTES} bytes`);
  const isJson =
    typeof body === "string" && type !== undefined && /^application\/json\b/i.test(type) && isJsonText(body);
  return {
    kind: isJson ? "json" : typeof body === "string" ? "text" : "bytes",
    // The history keeps the bytes, and the caller may change its own afterwards.
    data: typeof body === "string" ? body : copied(body),
    event: event?.event,
    contentType: type === undefined || (isJson && type === JSON_TYPE) ? undefined : type,
  };
}

/** The seed's `json-str`: encodes a value. A message needs no encoding. */
export function toSendData(value: unknown): SendData {
  if (typeof value === "string" || value instanceof Uint8Array || isSendInit(value)) return value;
  return value instanceof PreparedMessage ? value : json(value);
}

export function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Returns `"event":…,"data":…` of a message that has no id. */
export function jsonMembers({ kind, data, event }: GroupMessage): string {
  const type = event === undefined ? "" : `"event":${JSON.stringify(event)},`;
  if (kind === "json") return `${type}"data":${data}`;
  if (typeof data === "string") return `${type}"data":${JSON.stringify(data)}`;
  return `${type}"encoding":"base64","data":"${Buffer.from(data.buffer, data.byteOffset, data.length).toString("base64")}"`;
}

/** Checks a type: WHATWG HTML §9.2.6 allows no line break, and every transport and process must be able to carry it. */
export function isEventType(text: string): boolean {
  return !/[\r\n]/.test(text) && utf8Length(text) <= MAX_FIELD_BYTES;
}

function isStream(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return value instanceof Blob || value instanceof ReadableStream || Symbol.asyncIterator in value;
}

function onlyContentType(fields: readonly string[]): string | undefined {
  if (fields.length === 0) return undefined;
  if (fields.length > 2 || fields[0]!.toLowerCase() !== "content-type") {
    throw new ChannelError("BAD_DATA", "headers other than Content-Type cannot be published");
  }
  return fields[1];
}

function contentTypeOf({ kind, contentType }: GroupMessage): string | undefined {
  return contentType ?? (kind === "json" ? JSON_TYPE : undefined);
}
