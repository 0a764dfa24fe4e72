// A session whose client keeps the cursors of its groups: messages of groups have their ids, and news of groups are sent. A
// class of its own, so that a message of other sessions costs nothing more: as a condition in `send` it was 3 % of the instructions of a publish.

import type { OutboundMessage } from "../protocol/outbound-message.ts";
import { toRecordWithCursor } from "./form.ts";
import { SessionTransport } from "./transport.ts";

export class CursorTransport extends SessionTransport {
  override send(message: OutboundMessage): void {
    const record = toRecordWithCursor(message);
    if (record !== undefined && this.session.state.isOpen) this.keep(record);
  }
}
