// A session's message on its way out, kept until it is acknowledged, and its two forms for the transports below. Where a
// message goes to many, all sessions keep this one record, and each form is made once (PROTOCOL.md, "Numbers").

import {
  encodeRecordEvent,
  encodeRecordMessage,
  type MessageRecord,
  type SessionRecord,
} from "../codec/session-record.ts";
import type { Outgoing, SharedForms } from "./transport.ts";

/** A piece of less is left where it is. */
const MIN_COPIED_BYTES = 256;

const NO_FIELDS: readonly string[] = [];

export class OutgoingRecord implements MessageRecord {
  readonly type = "message";
  readonly data: string | Uint8Array;
  /** Filled where the message goes to many. */
  #webSocket: Outgoing | undefined;
  #event: Outgoing | undefined;
  readonly #isShared: boolean;

  constructor(data: string | Uint8Array, isShared: boolean) {
    this.data = data;
    this.#isShared = isShared;
  }

  get webSocket(): Outgoing {
    if (this.#webSocket !== undefined) return this.#webSocket;
    const message = outgoing(encodeRecordMessage(this), this.#isShared);
    if (this.#isShared) this.#webSocket = message;
    return message;
  }

  get event(): Outgoing {
    if (this.#event !== undefined) return this.#event;
    const message = outgoing(encodeRecordEvent(this), this.#isShared);
    if (this.#isShared) this.#event = message;
    return message;
  }
}

/** A text message that goes to one is its text: nothing else is made of it, or kept. */
export type AnyRecord = SessionRecord | string;

/** A message's record: where it goes to many, the one that all sessions keep. */
export function recordOf(data: string | Uint8Array, shared: SharedForms | undefined): OutgoingRecord | string {
  if (shared === undefined) return typeof data === "string" ? data : new OutgoingRecord(ownBytes(data), false);
  shared.record ??= new OutgoingRecord(typeof data === "string" ? data : ownBytes(data), true);
  return shared.record;
}

/**
 * Bytes in memory of their own. A received message is a piece of what was read from the socket at once: kept as it is, ten
 * bytes would keep 64 KiB.
 */
export function ownBytes(data: Uint8Array): Uint8Array {
  return data.buffer.byteLength > 2 * data.length + MIN_COPIED_BYTES ? new Uint8Array(data) : data;
}

/** Any record as a WebSocket's message. */
export function asWebSocket(record: SessionRecord): Outgoing {
  return record instanceof OutgoingRecord ? record.webSocket : outgoing(encodeRecordMessage(record), false);
}

/** Any record as what stands in an event stream. */
export function asEvent(record: AnyRecord): Outgoing {
  if (record instanceof OutgoingRecord) return record.event;
  return outgoing(encodeRecordEvent(typeof record === "string" ? { type: "message", data: record } : record), false);
}

export function outgoing(body: string | Uint8Array, isShared: boolean): Outgoing {
  return {
    status: undefined,
    fields: NO_FIELDS,
    body,
    event: undefined,
    length: undefined,
    shared: isShared ? sharedForms() : undefined,
  };
}

/** Of a message that goes to many, before any transport has made something of it. */
export function sharedForms(): SharedForms {
  return { plain: undefined, compressed: undefined, event: undefined, body: undefined, record: undefined };
}
