// The forms in which a session keeps and carriers send its records. A text message for one client is kept as its string: no
// object is made for it until a carrier writes it.

import { copied } from "../base/bytes.ts";
import { encodeRecordEvent, encodeRecordMessage, MESSAGE_LETTER } from "../codec/session-record.ts";
import { EncodedMessage, OutboundRecord } from "../protocol/encoded-message.ts";
import { bodyMessage, type OutboundMessage } from "../protocol/outbound-message.ts";
import type { CompactRecord } from "../protocol/session.ts";

/** A smaller message is not copied, even if it keeps a large buffer in memory. */
const MIN_COPIED_BYTES = 256;

/** The record of a message with a body. All sessions keep the same object for an EncodedMessage. */
export function toRecord(message: OutboundMessage): OutboundRecord | string {
  return message instanceof EncodedMessage ? message.asRecord() : dataRecord(message.body!);
}

/**
 * The record of a message for one client. Bytes are copied: the record is sent again, as it was, until the client has
 * acknowledged it, while the application may change its buffer.
 */
export function dataRecord(data: string | Uint8Array): OutboundRecord | string {
  return typeof data === "string" ? data : new OutboundRecord(copied(data), "one");
}

/**
 * Received bytes, copied if they are a small part of their memory: a message is a view of the bytes that were read from the
 * socket together, so ten bytes would keep 64 KiB.
 */
export function ownBytes(data: Uint8Array): Uint8Array {
  return data.buffer.byteLength > 2 * data.length + MIN_COPIED_BYTES ? copied(data) : data;
}

export function asWebSocketMessage(record: CompactRecord): OutboundMessage {
  if (typeof record === "string") return bodyMessage(MESSAGE_LETTER + record);
  return record instanceof OutboundRecord ? record.asWebSocket() : bodyMessage(encodeRecordMessage(record));
}

export function asEventText(record: CompactRecord): OutboundMessage {
  if (record instanceof OutboundRecord) return record.asEvent();
  return bodyMessage(encodeRecordEvent(typeof record === "string" ? { type: "message", data: record } : record));
}
