// News of a group for a client that keeps the cursors of its groups: where it is in the group's stream, that messages were
// lost, or that it is not a member any more. It is sent in its order among the messages, and has no body: a transport
// that does not know it sends nothing.

import type { GroupRecord } from "../codec/session-record.ts";
import { bodyMessage, type OutboundMessage } from "./outbound-message.ts";

const { fields } = bodyMessage("");

export class GroupNews implements OutboundMessage {
  readonly status: undefined;
  readonly fields: readonly string[] = fields;
  readonly body = null;
  readonly event: undefined;
  readonly length: undefined;
  readonly record: GroupRecord;

  /** `id`: see `GroupRecord`. */
  constructor(group: string, { id, reset }: Pick<GroupRecord, "id" | "reset">) {
    this.record = { type: "group", group, id, reset };
  }
}
