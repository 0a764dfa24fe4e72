// A message on its way out, in the only shape that transports receive.

import type { EventFields } from "../codec/sse.ts";

/** The fields of an event beside its data: WHATWG HTML §9.2.6. */
export type EventMeta = Omit<EventFields, "data">;

export interface OutboundMessage {
  /** The status of the response that the message begins; ignored by other transports and by later messages. */
  readonly status: number | undefined;
  /** The fields of that response: name, value, name, value, … */
  readonly fields: readonly string[];
  readonly body: string | Uint8Array | null;
  /** Ignored by transports other than event streams. */
  readonly event: EventMeta | undefined;
  /** The size of a streamed body in bytes, where it is known. */
  readonly length: number | undefined;
}

const NO_FIELDS: readonly string[] = [];

/** A message of nothing but its body. */
export function bodyMessage(body: string | Uint8Array): OutboundMessage {
  return { status: undefined, fields: NO_FIELDS, body, event: undefined, length: undefined };
}
