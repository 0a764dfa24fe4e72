// Requests for the session (PROTOCOL.md, "Taking up"): the carrier whose request was answered last has it.

import type { OpenRecord } from "../codec/session-record.ts";
import type { Carrier, CarrierEvents, CarrierKind } from "./carrier.ts";
import type { CarrierEnd } from "./carrier-end.ts";
import { EXPIRED, fatalCode, REPLACED } from "./carrier-end.ts";
import type { ClientSession } from "./client-session.ts";
import type { Conversation } from "./conversation.ts";
import { endedByServer } from "./ending.ts";
import { startHttp } from "./http-carrier.ts";
import { RENEW_MS, STABLE_MS } from "./limits.ts";
import { acknowledged, refuse, renew } from "./sending.ts";
import { startWebSocket } from "./websocket-carrier.ts";

/** Starts a carrier, which asks for the session. */
export function startCarrier(conversation: Conversation, kind: CarrierKind, events: CarrierEvents): Carrier {
  let attempt = 0;
  conversation.log(`${kind}: trying`);
  const link = {
    ...conversation,
    ...events,
    resumption() {
      const { token, ackNumber, cursors } = conversation.session;
      attempt = ++conversation.tries;
      return {
        ...(token && { session: token, after: `${ackNumber}` }),
        try: `${attempt}`,
        cursors: `${cursors.size}`,
        ...conversation.session.query,
      };
    },
    onEnd: (why: CarrierEnd) => events.onEnd({ attempt, ...why }),
  };
  return kind === "websocket" ? startWebSocket(link) : startHttp(kind, link);
}

/** The server has answered: this carrier has the session, which is resumed, new or lost. */
export function open(conversation: Conversation, carrier: Carrier, record: OpenRecord): void {
  const isSame = carrier === conversation.carrier;
  conversation.carrier = carrier;
  renewLater(conversation, conversation.now() + record.expiresInMs!);
  const isResumed = continues(conversation.session, record);
  conversation.session.continueAt(record.first, record);
  if (isResumed && acknowledged(conversation, record.received) && isSame) carrier.flush();
  // The next poll of the carrier that has the session.
  if (isResumed && isSame) return;
  const outcome = isResumed ? "resumed" : conversation.session.token ? "lost" : "new";
  if (isSame) forgiveLosses(conversation);
  if (outcome === "lost" && ++conversation.losses > 1) {
    const what = "the server forgets each session: are requests balanced over several processes?";
    if (isSame) {
      conversation.selector.fail({ status: 200, what });
      return;
    }
    conversation.events.fail(what);
  }
  const unacknowledged = isResumed ? [] : renew(conversation, record);
  conversation.log(`${carrier.kind}: open, session ${outcome}`);
  carrier.begin(record);
  // The connection was closed without a carrier: this one only sends the earlier messages.
  if (conversation.events.ending) conversation.selector.stop();
  conversation.events.move("open");
  if (conversation.events.state === "open")
    conversation.events.open.tell({ session: outcome, transport: carrier.kind, unacknowledged });
}

/** Returns true if the server goes on with the session, and with the same numbers. */
export function continues(session: ClientSession, { resumed, session: token, first, received }: OpenRecord): boolean {
  return resumed && token === session.token && first <= session.received + 1 && received <= session.sent;
}

/**
 * The server ends the session at `endsAt`, unless another request shows an identity that ends later: one is sent when 10 to 20 % of
 * the time are left, at random, so that not all clients come at once; and again, if that fails or changes nothing. NaN: it does not end.
 */
function renewLater(conversation: Conversation, endsAt: number): void {
  const leftMs = endsAt - conversation.now();
  const delayMs = Math.max(leftMs * (0.8 + conversation.random() / 10), RENEW_MS);
  conversation.cancelRenewal?.();
  if (!(delayMs < leftMs) || conversation.events.ending) return;
  conversation.cancelRenewal = conversation.after(delayMs, () => {
    renewLater(conversation, endsAt);
    conversation.selector.renew();
  });
}

/** Called while a carrier has the session: one that has lived for a while was not lost at once. */
function forgiveLosses(conversation: Conversation): void {
  if (conversation.now() - conversation.begunAt >= STABLE_MS) conversation.losses = 0;
}

/** Reports the error of a carrier that is over, and ends the connection if the server wants no other carrier. */
export function carrierEnded(conversation: Conversation, carrier: Carrier, end: CarrierEnd): void {
  const { status, code, reason, attempt, refused, error } = end;
  const wasOpen = carrier === conversation.carrier;
  conversation.log(`${carrier.kind}: over, ${error ?? end.what}`);
  if (wasOpen) forgiveLosses(conversation);
  if (refused) refuse(conversation, refused, error);
  else if (error !== undefined) conversation.events.error.tell(error);
  let fatal = fatalCode(end, wasOpen);
  // The identity has an end: an application need not tell a late renewal from none.
  if (status === 401 && conversation.cancelRenewal) fatal = EXPIRED;
  // Refusals of older requests, and of those without a token, are ignored. An abandoned request may have replaced this one.
  const isReplaced = attempt === conversation.tries && ((wasOpen && code === REPLACED) || status === 409);
  if (conversation.session.token && isReplaced && !conversation.selector.takeAbandoned()) fatal = REPLACED;
  if (fatal)
    endedByServer(conversation, fatal, reason || (fatal === REPLACED ? "replaced" : status ? `HTTP ${status}` : ""));
}
