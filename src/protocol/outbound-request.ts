// A request, a reply, an error or a cancellation for the client of a session, in its order among the messages. Sent as any
// message and kept as a record: one object serves as both.

import type { RequestRecord } from "../codec/session-record.ts";
import { bodyMessage, type OutboundMessage } from "./outbound-message.ts";

const { fields } = bodyMessage("");

export class OutboundRequest implements OutboundMessage, RequestRecord {
  readonly type = "request";
  readonly data: string;
  readonly status: undefined;
  readonly fields: readonly string[] = fields;
  readonly body: string;
  readonly event: undefined;
  readonly length: undefined;

  /** `content`: see `encodeRequest`. */
  constructor(content: string) {
    this.data = content;
    this.body = content;
  }
}
