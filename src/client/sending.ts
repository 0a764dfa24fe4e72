// Messages to the server: each is kept until the server has acknowledged it, also while no carrier has the session.

import { ChannelError } from "../base/channel-error.ts";
import type { OpenRecord } from "../codec/session-record.ts";
import type { KeptRecord } from "./client-session.ts";
import type { Conversation } from "./conversation.ts";
import { toMessage } from "./messages.ts";

/** The contract of `Connection.send`. */
export function send(conversation: Conversation, value: unknown, maxBufferedBytes: number): boolean {
  const data = toMessage(conversation.codec, value);
  if (conversation.events.ending || conversation.session.bufferedAmount >= maxBufferedBytes) return false;
  const record: KeptRecord = { type: "message", data, value };
  conversation.session.send(record);
  conversation.sending = record;
  conversation.selector.current?.flush();
  conversation.sending = undefined;
  if (record.refusal) throw record.refusal;
  return true;
}

/** The server has records 1 to `number`. Returns true if it says so for the first time. */
export function acknowledged(conversation: Conversation, number: number): boolean {
  const isNew = conversation.session.acknowledge(number);
  if (isNew) {
    conversation.selector.prove();
    settleDrained(conversation);
  }
  return isNew;
}

/** Begins another session, which sends the messages that were never sent. Returns those that may have arrived. */
export function renew(conversation: Conversation, { session: token, received, first, since }: OpenRecord): unknown[] {
  const { session } = conversation;
  const values = session.values(({ sends }) => sends !== undefined);
  session.token = token;
  // Both numbers are 0, unless the server still has the session and only records of it are lost.
  session.renew(
    received,
    first - 1,
    // Cursors of an earlier session that were never sent are told anew.
    ({ sends, type }) => sends === undefined && type !== "since",
    since ? session.cursorRecords() : [],
  );
  conversation.begunAt = conversation.now();
  if (values.length > 0) conversation.drains.settle("the session is lost");
  settleDrained(conversation);
  return values;
}

/** The platform has refused to send this record: `send` throws BAD_DATA if it is running, else `onError` reports it. */
export function refuse(conversation: Conversation, refused: KeptRecord, error: unknown): void {
  refused.refusal = new ChannelError("BAD_DATA", `${error}`, { cause: error });
  // The refused record is not sent again; the records behind it get the earlier numbers.
  conversation.session.renew(
    conversation.session.acknowledged,
    conversation.session.received,
    (record) => record !== refused,
  );
  settleDrained(conversation);
  if (refused !== conversation.sending) conversation.events.error.tell(refused.refusal);
}

/** Settles the promises of `drained`, if everything has arrived or the connection is over. */
export function settleDrained({ session, drains, events }: Conversation): void {
  if (session.bufferedAmount === 0) drains.settle();
  else if (events.isOver) drains.settle("the server may not have everything");
}
