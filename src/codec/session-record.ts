// The records of a session, both ways: as events (PROTOCOL.md, "Records on HTTP") and as WebSocket messages ("Records on
// WebSocket"). Strict: a record in any other form is BAD_RECORD. Also runs in browsers.
// Long because both ends and both forms of each record are read together.

import { fromBase64, toBase64 } from "../base/base64.ts";
import { ChannelError } from "../base/channel-error.ts";
import { encodeComment, type TypedEvent } from "./sse.ts";

/** The WebSocket sub-protocol, and with it the version of the records. */
export const SESSION_PROTOCOL = "unichannel.v1";
const VERSION = 1;

/** The first record that the server sends on every carrier. */
export interface OpenRecord {
  readonly type: "open";
  /** The token: opaque, secret. */
  readonly session: string;
  /** True if this is the session that the client asked for; false if it asked for none, or for one that does not exist. */
  readonly resumed: boolean;
  /** Numbered records 1 to this number of the client have arrived. */
  readonly received: number;
  /** The number of the first numbered record that follows on this carrier. */
  readonly first: number;
  readonly heartbeatMs: number;
  readonly resumeMs: number;
  /** Time until the identity of the client ends, if it does: the client renews it before. */
  readonly expiresInMs?: number | undefined;
  /** True if the server waits for the cursors of the client, in `since` records. */
  readonly since?: boolean | undefined;
  /** The most requests of the client that may be without a reply. Undefined: the server takes none. */
  readonly requests?: number | undefined;
}

export interface MessageRecord {
  readonly type: "message";
  readonly data: string | Uint8Array;
}

/**
 * A message of a group, or news of the group without a message. Only for a client that keeps the cursors of its groups.
 */
export interface GroupRecord {
  readonly type: "group";
  /** The name of the group. */
  readonly group: string;
  /**
   * The cursor: the client has everything of the group up to this id, with this record. An empty text: up to the group's
   * beginning. Undefined without `reset`: it is not a member any more.
   */
  readonly id?: string | undefined;
  /** True if messages of the group are lost for this client. */
  readonly reset?: boolean | undefined;
  /** The message, if there is one. */
  readonly data?: string | Uint8Array | undefined;
  /** True on a WebSocket: the message is the binary one that follows. */
  readonly isHead?: boolean | undefined;
}

/** Content of `request-record.ts`. Only for a client that takes requests. */
export interface RequestRecord {
  readonly type: "request";
  readonly data: string;
}

/** The cursor of one group, which a client tells its new session; without a group, the last record of this kind. */
export interface SinceRecord {
  readonly type: "since";
  readonly group?: string | undefined;
  readonly id?: string | undefined;
  /** In the last one: true if the client has been in more groups than it tells. */
  readonly forgotten?: boolean | undefined;
}

/** The last numbered record of its side. `retryMs`: the client opens a new session after this time. */
export interface CloseRecord {
  readonly type: "close";
  readonly code: number;
  readonly reason: string;
  readonly retryMs?: number | undefined;
}

export interface AckRecord {
  readonly type: "ack";
  readonly received: number;
}

/** Announces the number of the next record of a client on a WebSocket. A POST has it in its query. */
export interface FromRecord {
  readonly type: "from";
  readonly number: number;
}

export interface HeartbeatRecord {
  readonly type: "heartbeat";
}

/** Records that are numbered and kept until they are acknowledged. */
export type NumberedRecord = ServerNumberedRecord | ClientNumberedRecord;

export type ServerNumberedRecord = MessageRecord | CloseRecord | GroupRecord | RequestRecord;

export type ClientNumberedRecord = MessageRecord | CloseRecord | SinceRecord | RequestRecord;

export type ServerRecord = OpenRecord | ServerNumberedRecord | AckRecord | HeartbeatRecord;

export type ClientRecord = FromRecord | ClientNumberedRecord | AckRecord | HeartbeatRecord;

export type SessionRecord = ServerRecord | ClientRecord;

/** A WebSocket message begins with the first letter of one of these. */
const KINDS = ["message", "ack", "close", "open", "request", "group"] as const;
export const MESSAGE_LETTER = "m";
export const SINCE_LETTER = "s";
export const REQUEST_LETTER = "r";

/** Longest `since` record: the name of a group has 1,024 bytes, each of which may take six characters in JSON. */
export const MAX_SINCE_LENGTH = 8192;

/** A record as one event of an event stream, its blank line included. */
export function encodeRecordEvent(record: SessionRecord): string {
  if (record.type === "heartbeat") return encodeComment();
  if (record.type === "group") return groupEvent(record);
  return record.type === "open" ? event("open", openData(record)) : encodeClientEvent(record);
}

export function encodeClientEvent(record: Exclude<ClientRecord, HeartbeatRecord>): string {
  if (record.type !== "message") return event(record.type, dataOf(record));
  const { data } = record;
  if (typeof data !== "string") return event("binary", toBase64(data));
  // An event stream has one kind of line break: a CR would arrive as LF (WHATWG HTML §9.2.6).
  if (data.includes("\r")) return event("text", JSON.stringify(data));
  return dataLines(data);
}

/** Decodes the record of an event. Heartbeats are comments and never arrive here. Throws BAD_RECORD. */
export function decodeRecordEvent({ type, data }: TypedEvent): ServerRecord {
  if (type === "text") return { type: "message", data: text(parse(data)) };
  if (type === "binary") return { type: "message", data: fromBase64(data) ?? fail(type) };
  return recordOf(type, data);
}

/** A record as one WebSocket message: the kind's letter and its text, or bytes as they are. */
export function encodeRecordMessage(record: SessionRecord): string | Uint8Array {
  if (record.type === "group") return groupMessage(record);
  return record.type === "open" ? `o${openData(record)}` : encodeClientMessage(record);
}

export function encodeClientMessage(record: ClientRecord): string | Uint8Array {
  if (record.type !== "message") return record.type[0] + dataOf(record);
  return typeof record.data === "string" ? MESSAGE_LETTER + record.data : record.data;
}

export function decodeRecordMessage(message: string | Uint8Array): SessionRecord {
  if (message[0] === SINCE_LETTER) return sinceOf(message.slice(1) as string);
  if (message[0] !== "f") return decodeServerMessage(message);
  // Records count from 1: a record 0 would be dropped as one that has arrived before.
  return { type: "from", number: parseCount(message.slice(1) as string) || fail("from") };
}

/** Decodes a WebSocket message of a server. Throws BAD_RECORD. */
export function decodeServerMessage(message: string | Uint8Array): ServerRecord {
  if (typeof message !== "string") return { type: "message", data: message };
  if (message === "h") return { type: "heartbeat" };
  const kind = KINDS.find((name) => name[0] === message[0]);
  return recordOf(kind, message.slice(1));
}

/** Decodes the record of an event in a POST. Throws BAD_RECORD. */
export function decodePostedEvent(event: TypedEvent): SessionRecord {
  return event.type === "since" ? sinceOf(event.data) : decodeRecordEvent(event);
}

/** The members of a group record that are the same in all its forms, as JSON. `more`: further members. */
function groupHead({ group, id, reset }: GroupRecord, more: object = {}): string {
  return JSON.stringify({ group, id, ...(reset === true && { reset }), ...more });
}

/** Bytes follow in a message of their own: see `WebSocketCarrier`. */
function groupMessage(record: GroupRecord): string {
  const { data } = record;
  if (typeof data === "string") return `g${groupHead(record)}\n${data}`;
  return `g${groupHead(record, data && { binary: true })}`;
}

function groupEvent(record: GroupRecord): string {
  const { data } = record;
  if (data === undefined) return event("group", groupHead(record));
  if (typeof data !== "string") return event("group", groupHead(record, { binary: toBase64(data) }));
  // See `encodeClientEvent`.
  if (data.includes("\r")) return event("group", groupHead(record, { text: data }));
  return event("group", `${groupHead(record)}\n${data}`);
}

/** Throws BAD_RECORD for a record that is malformed, or too long for a cursor. */
function sinceOf(json: string): SinceRecord {
  if (json.length > MAX_SINCE_LENGTH) return fail("since");
  const { group, id, forgotten } = parse(json);
  if (group === undefined) return { type: "since", forgotten: forgotten === true };
  return { type: "since", group: text(group), id: text(id) };
}

function event(type: string, data: string): string {
  return `event: ${type}\n${dataLines(data)}`;
}

function dataLines(data: string): string {
  return `data: ${data.replaceAll("\n", "\ndata: ")}\n\n`;
}

function openData({ type: _, ...fields }: OpenRecord): string {
  return JSON.stringify({ ...fields, version: VERSION });
}

function dataOf(record: Exclude<ClientRecord, MessageRecord>): string {
  // A request, an ack or a from.
  const { data, received = data, number = received } = record as RequestRecord & AckRecord & FromRecord;
  if (record.type === "heartbeat") return "";
  if (number !== undefined) return `${number}`;
  return JSON.stringify({ ...record, type: undefined });
}

function recordOf(type: string | undefined, data: string): ServerRecord {
  if (type === "message" || type === "request") return { type, data };
  if (type === "ack") return { type, received: parseCount(data) ?? fail(type) };
  if (type === "open") {
    const { session, resumed, received, first, heartbeatMs, resumeMs, version, ...more } = parse(data);
    const { expiresInMs, since, requests } = more;
    if (version !== VERSION || typeof resumed !== "boolean") return fail(type);
    return {
      type,
      session: text(session),
      resumed,
      received: count(received),
      first: count(first),
      heartbeatMs: duration(heartbeatMs, 25_000),
      resumeMs: duration(resumeMs, 60_000),
      ...(isDuration(expiresInMs) && { expiresInMs }),
      ...(since === true && { since }),
      ...(requests !== undefined && { requests: count(requests) }),
    };
  }
  if (type === "group") return groupOf(data);
  if (type !== "close") return fail(`kind ${type}`);
  const { code: number, reason, retryMs } = parse(data);
  const code = count(number);
  // RFC 6455 §7.4: a code that a close frame can have.
  if (code < 1000 || code > 4999) return fail(type);
  return { type, code, reason: text(reason), ...(retryMs !== undefined && { retryMs: count(retryMs) }) };
}

/** A head in JSON, and behind it, in lines of its own, the text. */
function groupOf(content: string): GroupRecord {
  const end = content.indexOf("\n");
  const head = end < 0 ? content : content.slice(0, end);
  const { group, id, reset, text: other, binary } = parse(head);
  let data: string | Uint8Array | undefined;
  if (end >= 0) data = content.slice(end + 1);
  else if (other !== undefined) data = text(other);
  else if (typeof binary === "string") data = fromBase64(binary) ?? fail("group");
  return {
    type: "group",
    group: text(group),
    id: id === undefined ? id : text(id),
    reset: reset === true,
    data,
    isHead: binary === true,
  };
}

/** A number as the protocol writes it: decimal, no sign, no leading zero, exact in JavaScript; undefined if it is not one. */
export function parseCount(digits: string): number | undefined {
  const value = Number(digits);
  return isCount(value) && `${value}` === digits ? value : undefined;
}

/** The members of a JSON object; of another JSON value all are undefined. */
function parse(json: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(json) ?? fail("null");
  } catch {
    return fail("JSON");
  }
}

/** Returns `otherwise` if the value is not a duration (JSON has null for Infinity and NaN). */
function duration(value: unknown, otherwise: number): number {
  return isDuration(value) ? value : otherwise;
}

function isDuration(value: unknown): value is number {
  return typeof value === "number" && value > 0;
}

function count(value: unknown): number {
  return isCount(value) ? value : fail("number");
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : fail("text");
}

function fail(detail: string): never {
  throw new ChannelError("BAD_RECORD", detail);
}
