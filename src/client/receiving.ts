// Messages from the server: each is delivered once, in order, and acknowledged, but not while a `for await` loop is behind.

import type { GroupRecord, ServerNumberedRecord } from "../codec/session-record.ts";
import { ACK_MS } from "../protocol/session.ts";
import type { Message } from "./connection.ts";
import type { Conversation } from "./conversation.ts";
import { closedByServer } from "./ending.ts";
import { fromMessage } from "./messages.ts";

/** Delivers a record that is new; one that has arrived before is only acknowledged again. */
export function receive(conversation: Conversation, record: ServerNumberedRecord): void {
  if (conversation.session.receiveNext(record)) {
    // Messages that come with the opening of each new session do not prove that the carrier works.
    if (conversation.losses < 2) conversation.selector.prove();
    if (record.type === "group") receiveGroup(conversation, record);
    else if (record.type === "close") closedByServer(conversation, record);
    else deliver(conversation, record.data);
  }
  if (conversation.events.ending) return;
  if (conversation.session.isAckDue) acknowledge(conversation);
  else conversation.cancelTimer ??= conversation.after(ACK_MS, () => acknowledge(conversation));
}

function receiveGroup(conversation: Conversation, { group, id, reset, data }: GroupRecord): void {
  if (reset) conversation.events.reset.tell(group);
  else conversation.session.keepCursor(group, id);
  if (data !== undefined) deliver(conversation, data);
}

function deliver(conversation: Conversation, data: Message): void {
  conversation.size = data.length;
  try {
    conversation.events.message.tell(fromMessage(conversation.codec, data));
  } catch (problem) {
    conversation.events.error.tell(problem);
  }
}

/** Acknowledges now what is not acknowledged yet. */
export function acknowledge(conversation: Conversation): void {
  conversation.cancelTimer?.();
  conversation.cancelTimer = undefined;
  if (conversation.session.hasAck) conversation.selector.current?.acknowledge();
}

/**
 * Acknowledges nothing until the returned function is called: the server keeps its records, and its limit applies. Several
 * loops may be behind at once.
 */
export function hold(conversation: Conversation): () => void {
  conversation.session.holders += 1;
  return () => {
    conversation.session.holders -= 1;
    if (conversation.session.holders <= 0) conversation.selector.current?.acknowledge();
  };
}
