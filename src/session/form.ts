// The forms in which a session keeps and carriers send its records. A text message for one client is kept as its string: no
// object is made for it until a carrier writes it.

import { copied } from "../base/bytes.ts";
import { encodeRecordEvent, encodeRecordMessage, type GroupRecord, MESSAGE_LETTER } from "../codec/session-record.ts";
import { EncodedMessage, OutboundGroupRecord, OutboundRecord } from "../protocol/encoded-message.ts";
import { GroupNews } from "../protocol/group-news.ts";
import { bodyMessage, type OutboundMessage } from "../protocol/outbound-message.ts";
import { OutboundRequest } from "../protocol/outbound-request.ts";
import type { CompactRecord } from "../protocol/session.ts";

/** A smaller message is not copied, even if it keeps a large buffer in memory. */
const MIN_COPIED_BYTES = 256;

/** The record of a message with a body. All sessions keep the same object for an EncodedMessage. */
export function toRecord(message: OutboundMessage): OutboundRecord | OutboundRequest | string {
  if (message instanceof EncodedMessage) return message.asRecord();
  return message instanceof OutboundRequest ? message : dataRecord(message.body!);
}

/** The same for a client that keeps the cursors of its groups. Undefined for a message without a body that is no news of a group. */
export function toRecordWithCursor(
  message: OutboundMessage,
): OutboundRecord | OutboundRequest | OutboundGroupRecord | GroupRecord | string | undefined {
  if (message instanceof EncodedMessage && message.group !== undefined) return message.asGroupRecord();
  if (message instanceof GroupNews) return message.record;
  return message.body === null ? undefined : toRecord(message);
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
  if (record instanceof OutboundRecord) return record.asWebSocket();
  return record instanceof OutboundGroupRecord ? record.asWebSocket() : bodyMessage(encodeRecordMessage(record));
}

/** The bytes of a group's message, which follow the record's head on a WebSocket; undefined if there are none. */
export function bytesAfterHead(record: GroupRecord): OutboundMessage | undefined {
  if (record instanceof OutboundGroupRecord) return record.asBytes();
  return record.data instanceof Uint8Array ? bodyMessage(record.data) : undefined;
}

export function asEventText(record: CompactRecord): OutboundMessage {
  if (record instanceof OutboundRecord || record instanceof OutboundGroupRecord) return record.asEvent();
  return bodyMessage(encodeRecordEvent(typeof record === "string" ? { type: "message", data: record } : record));
}
