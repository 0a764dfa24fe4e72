// The forms in which carriers send a session's records. A text message for one client is its string: no object is made of
// it, or kept, until a carrier writes it.

import { copied } from "../base/bytes.ts";
import { encodeRecordEvent, encodeRecordMessage, MESSAGE_LETTER, type SessionRecord } from "../codec/session-record.ts";
import { EncodedMessage, OutboundRecord } from "../protocol/encoded-message.ts";
import { bodyMessage, type OutboundMessage } from "../protocol/outbound-message.ts";

/** A record of either direction; a string is a text message. */
export type AnyRecord = SessionRecord | string;

/** A smaller piece is not copied. */
const MIN_COPIED_BYTES = 256;

/** The record that a session keeps of a message with a body. All sessions keep the same one of an EncodedMessage. */
export function toRecord(message: OutboundMessage): OutboundRecord | string {
  return message instanceof EncodedMessage ? message.asRecord() : dataRecord(message.body!);
}

/**
 * The record of a message for one client. Bytes are copied: the record is sent again, as it was, until the client has
 * acknowledged it, while the application may change its buffer.
 */
export function dataRecord(data: string | Uint8Array): OutboundRecord | string {
  return typeof data === "string" ? data : new OutboundRecord(copied(data), false);
}

/**
 * Received bytes in memory of their own. A message is a view of the bytes that were read from the socket together: kept as
 * it is, ten bytes would keep 64 KiB.
 */
export function ownBytes(data: Uint8Array): Uint8Array {
  return data.buffer.byteLength > 2 * data.length + MIN_COPIED_BYTES ? copied(data) : data;
}

/** The record as a message of a WebSocket. */
export function asWebSocketMessage(record: AnyRecord): OutboundMessage {
  if (typeof record === "string") return bodyMessage(MESSAGE_LETTER + record);
  return record instanceof OutboundRecord ? record.asWebSocket() : bodyMessage(encodeRecordMessage(record));
}

/** The text of the record in an event stream. */
export function asEventText(record: AnyRecord): OutboundMessage {
  if (record instanceof OutboundRecord) return record.asEvent();
  return bodyMessage(encodeRecordEvent(typeof record === "string" ? { type: "message", data: record } : record));
}
