// The records of a session, both ways: as events (PROTOCOL.md, "Records on HTTP") and as WebSocket messages ("Records on
// WebSocket"). Strict: a record in any other form is BAD_RECORD. Also runs in browsers.

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
}

export interface MessageRecord {
  readonly type: "message";
  readonly data: string | Uint8Array;
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
export type NumberedRecord = MessageRecord | CloseRecord;

export type ServerRecord = OpenRecord | NumberedRecord | AckRecord | HeartbeatRecord;

export type ClientRecord = FromRecord | NumberedRecord | AckRecord | HeartbeatRecord;

export type SessionRecord = ServerRecord | ClientRecord;

/** A WebSocket message begins with the first letter of one of these. */
const KINDS = ["message", "ack", "close", "open"] as const;
export const MESSAGE_LETTER = "m";

/** A record as one event of an event stream, its blank line included. */
export function encodeRecordEvent(record: SessionRecord): string {
  if (record.type === "heartbeat") return encodeComment();
  return record.type === "open" ? event("open", openData(record)) : encodeClientEvent(record);
}

export function encodeClientEvent(record: Exclude<ClientRecord, HeartbeatRecord>): string {
  if (record.type !== "message") return event(record.type, dataOf(record));
  const { data } = record;
  if (typeof data !== "string") return event("binary", toBase64(data));
  // An event stream has one kind of line break: a CR would arrive as LF (WHATWG HTML §9.2.6).
  if (data.includes("\r")) return event("text", JSON.stringify(data));
  return `data: ${data.replaceAll("\n", "\ndata: ")}\n\n`;
}

/** Decodes the record of an event. Heartbeats are comments and never arrive here. Throws BAD_RECORD. */
export function decodeRecordEvent({ type, data }: TypedEvent): ServerRecord {
  if (type === "text") return { type: "message", data: text(parse(data)) };
  if (type === "binary") return { type: "message", data: fromBase64(data) ?? fail(type) };
  return recordOf(type, data);
}

/** A record as one WebSocket message: the kind's letter and its text, or bytes as they are. */
export function encodeRecordMessage(record: SessionRecord): string | Uint8Array {
  return record.type === "open" ? `o${openData(record)}` : encodeClientMessage(record);
}

export function encodeClientMessage(record: ClientRecord): string | Uint8Array {
  if (record.type !== "message") return record.type[0] + dataOf(record);
  return typeof record.data === "string" ? MESSAGE_LETTER + record.data : record.data;
}

export function decodeRecordMessage(message: string | Uint8Array): SessionRecord {
  if (message[0] !== "f") return decodeServerMessage(message);
  // Records are counted from 1: a record 0 would be dropped as one that has arrived before.
  return { type: "from", number: parseCount(message.slice(1) as string) || fail("from") };
}

/** Decodes a WebSocket message of a server. Throws BAD_RECORD. */
export function decodeServerMessage(message: string | Uint8Array): ServerRecord {
  if (typeof message !== "string") return { type: "message", data: message };
  if (message === "h") return { type: "heartbeat" };
  const kind = KINDS.find((name) => name[0] === message[0]);
  return recordOf(kind, message.slice(1));
}

/** One line of data. */
function event(type: string, data: string): string {
  return `event: ${type}\ndata: ${data}\n\n`;
}

function openData({ type: _, ...fields }: OpenRecord): string {
  return JSON.stringify({ ...fields, version: VERSION });
}

function dataOf(record: Exclude<ClientRecord, MessageRecord>): string {
  if (record.type === "ack") return `${record.received}`;
  if (record.type === "from") return `${record.number}`;
  if (record.type === "heartbeat") return "";
  const { code, reason, retryMs } = record;
  return JSON.stringify({ code, reason, retryMs });
}

function recordOf(type: string | undefined, data: string): ServerRecord {
  if (type === "message") return { type, data };
  if (type === "ack") return { type, received: parseCount(data) ?? fail(type) };
  if (type === "open") {
    const { session, resumed, received, first, heartbeatMs, resumeMs, version } = parse(data);
    if (version !== VERSION || typeof resumed !== "boolean") return fail(type);
    return {
      type,
      session: text(session),
      resumed,
      received: count(received),
      first: count(first),
      heartbeatMs: duration(heartbeatMs, 25_000),
      resumeMs: duration(resumeMs, 60_000),
    };
  }
  if (type !== "close") return fail(`kind ${type}`);
  const fields = parse(data);
  const code = count(fields.code);
  // RFC 6455 §7.4: a code that a close frame can have.
  if (code < 1000 || code > 4999) return fail(type);
  const close = { type, code, reason: text(fields.reason) } as const;
  return fields.retryMs === undefined ? close : { ...close, retryMs: count(fields.retryMs) };
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
  return typeof value === "number" && value > 0 ? value : otherwise;
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
