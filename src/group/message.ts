// A message that is published to a group. It is converted once, for transports, other processes and the history. Streams,
// status and headers belong to one answer and cannot be published.

import { copied, utf8Length } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { memorySize } from "../base/memory-size.ts";
import type { AnyChannel } from "../channel/channel.ts";
import { encodeValue } from "../channel/codec-calls.ts";
import { NO_FIELDS } from "../channel/headers.ts";
import { PreparedMessage } from "../channel/prepared-message.ts";
import { isSendInit, json, type SendData, toSendable } from "../channel/send-data.ts";
import { isFieldValue } from "../codec/http1-syntax.ts";
import type { MessageCodec } from "../codec/message-codec.ts";
import { type Encodable, EncodedMessage } from "../protocol/encoded-message.ts";
import type { LatestKey } from "./latest-key.ts";
import type { Publication } from "./publications.ts";

/** `fields` has at most a Content-Type, and `event` at most a type. Histories keep it: each member of it takes 8 bytes. */
export interface GroupMessage extends Omit<Encodable, "status"> {
  /** `json`: `body` is the JSON text of a value. */
  readonly kind: "text" | "bytes" | "json";
  readonly body: string | Uint8Array;
  /** Its key, in a store whose groups keep the last value of each key. */
  readonly latest?: LatestKey | undefined;
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
const JSON_FIELDS: readonly string[] = ["Content-Type", JSON_TYPE];

/** A message with the bytes for each transport, as a channel takes it. A `PreparedMessage` is one, too. */
export interface EncodedSendable {
  readonly message: EncodedMessage;
  readonly parts: undefined;
}

/** A message with its id in the group's stream. Each of its forms is encoded once, when it is first needed. */
export class GroupEntry {
  readonly id: string;
  /** The message as it was published. */
  readonly published: GroupMessage;
  /** Time of its arrival, in milliseconds. */
  readonly atMs: number;
  /** Memory that it counts for in a history, in bytes. */
  readonly bytes: number;
  /** The message of which other groups have entries, too; undefined for most entries. */
  readonly publication: Publication | undefined;
  /** The member that does not receive it. Held weakly: the history outlives channels. */
  readonly #except: WeakRef<AnyChannel> | undefined;
  #encoded: EncodedSendable | undefined;
  #withId: EncodedSendable | undefined;
  #json: string | undefined;

  constructor(id: string, published: GroupMessage, atMs: number, except?: AnyChannel, publication?: Publication) {
    this.id = id;
    this.published = published;
    this.atMs = atMs;
    this.bytes = sizeOf(published);
    this.publication = publication;
    this.#except = except === undefined ? undefined : new WeakRef(except);
  }

  get except(): AnyChannel | undefined {
    return this.#except?.deref();
  }

  /** The message as it was published. An event stream adds the id, and a session whose client keeps cursors the group, too. */
  inGroup(group: string): EncodedSendable {
    this.#encoded ??= this.#encode(this.published, group);
    return this.#encoded;
  }

  /** The message as JSON with its id, for members that asked for it. */
  withId(group: string): EncodedSendable {
    if (this.#withId === undefined) {
      const body = `{"group":${JSON.stringify(group)},${this.json.slice(1)}`;
      this.#withId = this.#encode({ ...this.published, fields: JSON_FIELDS, body }, group);
    }
    return this.#withId;
  }

  /** Returns `{"id":…,"event":…,"data":…}`. Bytes are in base64, with `encoding`. */
  get json(): string {
    this.#json ??= `{"id":${JSON.stringify(this.id)},${jsonMembers(this.published)}}`;
    return this.#json;
  }

  /** Drops the encoded forms, which no limit of the history counts: called after delivery, replays and answers of polls. */
  release(): void {
    this.#encoded = undefined;
    this.#withId = undefined;
    this.#json = undefined;
  }

  toHistory(): HistoryMessage {
    const { kind, body, event } = this.published;
    // A caller of `history` may write into the bytes, so the history keeps its own.
    const own = typeof body === "string" ? body : copied(body);
    return { id: this.id, data: kind === "json" ? JSON.parse(body as string) : own, ...event };
  }

  #encode(message: Encodable, group: string): EncodedSendable {
    const { id } = this;
    const type = message.event?.event;
    const event = type === undefined ? { id } : { event: type, id };
    return { message: new EncodedMessage(message, event, group), parts: undefined };
  }
}

/** An entry without data takes memory, too. */
function sizeOf(message: GroupMessage): number {
  const fields = memorySize(message.event?.event ?? "") + memorySize(unusualType(message) ?? "");
  return Math.max(MIN_ENTRY_BYTES, memorySize(message.body) + fields);
}

export const NO_ENTRIES: readonly GroupEntry[] = [];

/** Makes a message of parts that were checked. `event` is its type; `contentType` counts if it is not the usual one of `kind`. */
export function groupMessage(
  kind: GroupMessage["kind"],
  body: string | Uint8Array,
  { event, contentType }: { readonly event?: string | undefined; readonly contentType?: string | undefined } = {},
): GroupMessage {
  const usual = kind === "json" ? JSON_FIELDS : NO_FIELDS;
  const fields = contentType === undefined || contentType === usual[1] ? usual : ["Content-Type", contentType];
  return { kind, fields, body, event: event === undefined ? undefined : { event } };
}

/** Returns the Content-Type of an HTTP answer with this message, if it is not the usual one of its kind. */
export function unusualType({ fields }: GroupMessage): string | undefined {
  return fields === JSON_FIELDS ? undefined : fields[1];
}

/** The codec of a store; undefined if it has none. */
export type StoreCodec = Pick<MessageCodec<unknown, never>, "encode" | "contentType"> | undefined;

/** Encodes a value with the codec of its store. Throws BAD_DATA, and what the codec throws. */
export function encodeWith(codec: StoreCodec, value: unknown): unknown {
  if (codec === undefined || value === undefined || value instanceof PreparedMessage) return value;
  const body = encodeValue(codec, value);
  return codec.contentType === undefined ? body : { headers: { "Content-Type": codec.contentType }, body };
}

/** Throws BAD_DATA for a value that cannot be published. */
export function toGroupMessage(value: unknown): GroupMessage {
  if (typeof value === "string") return groupMessage("text", value);
  if (isStream(value)) throw badData("a stream or Blob cannot be published");
  const { message, parts } = toSendable(toSendData(value));
  if (parts !== undefined) throw badData("a stream or Blob cannot be published");
  const { body, status, fields, event } = message;
  if (body === null) throw badData("a message without data cannot be published");
  if (status !== undefined) throw badData("a status cannot be published");
  if (event?.id !== undefined || event?.retry !== undefined) {
    throw badData("the id and retry of an event cannot be published: the store gives the ids");
  }
  const type = event?.event;
  if (type !== undefined && !isEventType(type)) {
    throw badData(`the type of an event must be a string without line break and of at most ${MAX_FIELD_BYTES} bytes`);
  }
  const contentType = onlyContentType(fields);
  // The history keeps the bytes, and the caller may change its own afterwards.
  if (typeof body !== "string") return groupMessage("bytes", copied(body), { event: type, contentType });
  const isJson = contentType !== undefined && /^application\/json\b/i.test(contentType) && isJsonText(body);
  return groupMessage(isJson ? "json" : "text", body, { event: type, contentType });
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
export function jsonMembers({ kind, body, event }: GroupMessage): string {
  const type = event === undefined ? "" : `"event":${JSON.stringify(event.event)},`;
  if (kind === "json") return `${type}"data":${body}`;
  if (typeof body === "string") return `${type}"data":${JSON.stringify(body)}`;
  return `${type}"encoding":"base64","data":"${Buffer.from(body.buffer, body.byteOffset, body.length).toString("base64")}"`;
}

/** Checks a type: WHATWG HTML §9.2.6 allows no line break, and every transport and process must be able to carry it. */
export function isEventType(text: string): boolean {
  return typeof text === "string" && !/[\r\n]/.test(text) && utf8Length(text) <= MAX_FIELD_BYTES;
}

function isStream(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return value instanceof Blob || value instanceof ReadableStream || Symbol.asyncIterator in value;
}

function onlyContentType(fields: readonly string[]): string | undefined {
  const [name, value = ""] = fields;
  if (name === undefined) return undefined;
  if (fields.length > 2 || name.toLowerCase() !== "content-type") {
    throw badData("headers other than Content-Type cannot be published");
  }
  // A member with plain HTTP could not send it, and no process would take it from a backplane.
  if (!isFieldValue(value)) throw new ChannelError("BAD_HEADER", name);
  if (utf8Length(value) > MAX_FIELD_BYTES) throw badData(`the Content-Type must have at most ${MAX_FIELD_BYTES} bytes`);
  return value;
}

function badData(text: string): ChannelError {
  return new ChannelError("BAD_DATA", text);
}
