// The end of a connection: closed by the application, whose earlier messages may still be sent, or by the server.

import type { CloseRecord } from "../codec/session-record.ts";
import { closeStatus } from "../protocol/close-status.ts";
import type { ConnectionClose } from "./connection.ts";
import type { Conversation } from "./conversation.ts";
import { LINGER_MS } from "./limits.ts";
import { checkClose } from "./options.ts";
import { settleDrained } from "./sending.ts";

/** The contract of `Connection.close`. */
export function close(conversation: Conversation, code = 1000, reason = ""): boolean {
  checkClose(code, reason);
  if (conversation.events.ending) return false;
  const hasRest = conversation.session.token || conversation.session.bufferedAmount > 0;
  conversation.session.send({ type: "close", code, reason: `${reason}` });
  const isAway = !conversation.selector.current;
  end(conversation, closeStatus("client", code, reason), isAway ? conversation.session.values() : []);
  if (isAway && hasRest) {
    conversation.cancelTimer = conversation.after(LINGER_MS, () => finish(conversation));
    conversation.selector.check("awake");
  } else if (!conversation.selector.stop()) finish(conversation);
  conversation.events.tellEnd();
  return true;
}

/** The server has closed the session: for good, or until another process has taken the place of this one. */
export function closedByServer(conversation: Conversation, { code, reason, retryMs }: CloseRecord): void {
  if (retryMs === undefined) endedByServer(conversation, code, reason);
  else {
    conversation.log(`closed by the server: ${code} ${reason}, back in ${retryMs} ms`);
    conversation.selector.restart(retryMs);
  }
}

export function endedByServer(conversation: Conversation, code: number, reason: string): void {
  if (conversation.events.ending) return void finish(conversation);
  end(conversation, closeStatus("server", code, reason), conversation.session.values());
  conversation.selector.stop("server");
  finish(conversation);
  conversation.events.tellEnd();
}

/** Closes the connection for the application. Carriers are not ended, and `onClose` is not called yet. */
function end(conversation: Conversation, status: Omit<ConnectionClose, "unacknowledged">, values: unknown[]): void {
  conversation.events.end({ ...status, ...(values.length > 0 && { unacknowledged: values }) });
  conversation.log(`closed by the ${status.by}: ${status.code} ${status.reason}`);
  conversation.session.holders = 0;
  conversation.cancelTimer?.();
}

/** Ends all carriers and timers. */
export function finish(conversation: Conversation): void {
  if (!conversation.events.move("over")) return;
  conversation.cancelRenewal?.();
  conversation.cancelTimer?.();
  conversation.selector.stop();
  settleDrained(conversation);
}
