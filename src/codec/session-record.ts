// The records of a session, both ways: as events (PROTOCOL.md, "Records on HTTP") and as WebSocket messages ("Records on
// WebSocket"). Strict: what is not written as the document says is BAD_RECORD. Also runs in browsers.

import { ChannelError } from "../base/channel-error.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import { encodeComment, encodeTypedEvent, type ServerEvent } from "./sse.ts";

/** The WebSocket sub-protocol, and with it the version of the records. */
export const SESSION_PROTOCOL = "unichannel.v1";
const VERSION = 1;

/** The first record that the server sends on every carrier. */
export interface OpenRecord {
  readonly type: "open";
  /** The token: opaque, secret. */
  readonly session: string;
  /** True if it is the session that was asked for; false if the client asked for none, or for one that is not there. */
  readonly resumed: boolean;
  /** How many numbered records of the client have arrived: all from 1 to this one. */
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

/** The last numbered record of its side. `retryMs`: come back after so long, to a new session. */
export interface CloseRecord {
  readonly type: "close";
  readonly code: number;
  readonly reason: string;
  readonly retryMs?: number | undefined;
}

/** Numbered records up to `received` have arrived. */
export interface AckRecord {
  readonly type: "ack";
  readonly received: number;
}

/** From a client on a WebSocket: its next numbered record has this number. A POST says so in its query. */
export interface FromRecord {
  readonly type: "from";
  readonly number: number;
}

export interface HeartbeatRecord {
  readonly type: "heartbeat";
}

/** What is counted and kept until acknowledged. */
export type NumberedRecord = MessageRecord | CloseRecord;

export type SessionRecord = OpenRecord | NumberedRecord | AckRecord | FromRecord | HeartbeatRecord;

/** A record as one event of an event stream, its blank line included. */
export function encodeRecordEvent(record: SessionRecord): string {
  switch (record.type) {
    case "message": {
      const { data } = record;
      if (typeof data !== "string") return encodeTypedEvent("binary", toBase64(data));
      // An event stream has one kind of line break: a CR would arrive as LF (WHATWG HTML §9.2.6).
      if (data.includes("\r")) return encodeTypedEvent("text", JSON.stringify(data));
      return encodeTypedEvent(undefined, data);
    }
    case "heartbeat":
      return encodeComment();
    default:
      return encodeTypedEvent(record.type, dataOf(record));
  }
}

/** An event's record. Heartbeats are comments, which no decoder of events hands out. Throws BAD_RECORD. */
export function decodeRecordEvent({ type, data }: Pick<ServerEvent, "type" | "data">): SessionRecord {
  switch (type) {
    case "message":
      return { type, data };
    case "text":
      return { type: "message", data: text(parse(data)) };
    case "binary":
      return { type: "message", data: fromBase64(data) ?? bad("base64") };
    case "open":
    case "ack":
    case "close":
      return recordOf(type, data);
  }
  return bad(`event ${type}`);
}

/** A record as one WebSocket message: the kind's letter and its text, or bytes as they are. */
export function encodeRecordMessage(record: SessionRecord): string | Uint8Array {
  switch (record.type) {
    case "message":
      return typeof record.data === "string" ? `m${record.data}` : record.data;
    case "heartbeat":
      return "h";
    default:
      return record.type[0] + dataOf(record);
  }
}

/** A WebSocket message's record. Throws BAD_RECORD. */
export function decodeRecordMessage(message: string | Uint8Array): SessionRecord {
  if (typeof message !== "string") return { type: "message", data: message };
  const data = message.slice(1);
  switch (message[0]) {
    case "m":
      return { type: "message", data };
    case "o":
      return recordOf("open", data);
    case "a":
      return recordOf("ack", data);
    case "c":
      return recordOf("close", data);
    case "f":
      return { type: "from", number: parseCount(data) ?? bad("number") };
  }
  return message === "h" ? { type: "heartbeat" } : bad(`kind ${message.slice(0, 1)}`);
}

function dataOf(record: OpenRecord | AckRecord | FromRecord | CloseRecord): string {
  if (record.type === "ack") return `${record.received}`;
  if (record.type === "from") return `${record.number}`;
  const { type, ...fields } = record;
  return JSON.stringify(type === "open" ? { ...fields, version: VERSION } : fields);
}

function recordOf(type: "open" | "ack" | "close", data: string): SessionRecord {
  if (type === "ack") return { type, received: parseCount(data) ?? bad("number") };
  const fields = parse(data);
  if (typeof fields !== "object" || fields === null) bad(type);
  const { session, resumed, received, first, heartbeatMs, resumeMs, version, code, reason, retryMs } = fields as Record<
    string,
    unknown
  >;
  if (type === "close") {
    const close = { type, code: count(code), reason: text(reason) };
    // RFC 6455 §7.4: what a WebSocket could say.
    if (close.code < 1000 || close.code > 4999) bad("close code");
    return retryMs === undefined ? close : { ...close, retryMs: count(retryMs) };
  }
  if (version !== VERSION) bad("version");
  if (typeof resumed !== "boolean") bad("resumed");
  return {
    type,
    session: text(session),
    resumed,
    received: count(received),
    first: count(first),
    heartbeatMs: count(heartbeatMs),
    resumeMs: count(resumeMs),
  };
}

/** A number as the protocol writes it: decimal, no sign, no leading zero, exact in JavaScript; undefined if it is not one. */
export function parseCount(digits: string): number | undefined {
  const value = Number(digits);
  return /^(0|[1-9]\d*)$/.test(digits) && Number.isSafeInteger(value) ? value : undefined;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return bad("JSON");
  }
}

function count(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : bad("number");
}

function text(value: unknown): string {
  return typeof value === "string" ? value : bad("text");
}

function bad(detail: string): never {
  throw new ChannelError("BAD_RECORD", detail);
}
