// The session of the tab that leads: its carriers, its numbers and its acknowledgements, without an application. Each record that
// arrives goes to the tabs, and is acknowledged once they all have it.

import type { CloseRecord, OpenRecord, ServerNumberedRecord } from "../../codec/session-record.ts";
import { closeStatus } from "../../protocol/close-status.ts";
import type { Carrier, CarrierKind } from "../carrier.ts";
import type { CarrierEnd } from "../carrier-end.ts";
import { REPLACED } from "../carrier-end.ts";
import { selectCarriers } from "../carrier-selector.ts";
import type { ClientSession, KeptRecord } from "../client-session.ts";
import type { Conversation } from "../conversation.ts";
import { drains } from "../drains.ts";
import { close, finish } from "../ending.ts";
import type { Endpoint } from "../endpoint.ts";
import type { PageEvent, Time } from "../environment.ts";
import { events as connectionEvents } from "../events.ts";
import { LINGER_MS } from "../limits.ts";
import { acknowledge, receive } from "../receiving.ts";
import { acknowledged } from "../sending.ts";
import { carrierEnded, continues, open, startCarrier } from "../taking-up.ts";

/** Callbacks of the session. */
export interface EngineEvents {
  /** The record of the server with this number has arrived. */
  onRecord(number: number, record: ServerNumberedRecord): void;
  onAcknowledged(number: number): void;
  /** The numbers have begun again: another session, or this one after a loss. */
  onRenewed(session: ClientSession): void;
  onOpen(kind: CarrierKind): void;
  /** There is no carrier any more. */
  onLost(): void;
  /** The server has ended the session, not by a `close` record. */
  onEnd(code: number, reason: string): void;
  onFailure(failures: readonly string[], delayMs: number): void;
  onError(error: unknown): void;
  /** Resolves to true if another tab leads. */
  isDeposed(): Promise<boolean>;
}

export interface EngineOptions extends Time {
  readonly kinds: readonly CarrierKind[];
  readonly endpoint: Endpoint;
  readonly log: (line: string) => void;
  readonly session: ClientSession;
  /** The number of the last attempt of earlier leaders, or a higher one. */
  readonly tries: number;
}

export interface Engine {
  /** True while a carrier has the session. */
  readonly isOpen: boolean;
  readonly bufferedAmount: number;
  send(record: KeptRecord): void;
  /** Sends the records that were added. */
  flush(): void;
  /** All tabs have the records up to this number. */
  confirm(number: number): void;
  /** Acknowledges nothing while a tab is behind. */
  hold(isHolding: boolean): void;
  check(event: PageEvent): void;
  /** Closes the session. */
  close(record: CloseRecord | undefined): void;
  /** Ends the carriers and leaves the session to another tab. */
  detach(): void;
}

export function startEngine(options: EngineOptions, events: EngineEvents): Engine {
  const { session } = options;
  const own = connectionEvents();
  let { epoch } = session;
  let carrier: Carrier | undefined;
  /** The server's `close`, which takes effect when all tabs have it. */
  let closing: CloseRecord | undefined;
  /** True when all tabs know of the server's `close`: only its acknowledgement is due. */
  let isLeft = false;
  let isDetached = false;

  const selector = selectCarriers(options.kinds, options.endpoint.origin, {
    ...options,
    start: (kind, listener) => startCarrier(conversation, kind, listener),
    onRecord(from, record) {
      if (isDetached) return;
      if (record.type === "open") opened(from, record);
      else if (record.type === "ack") {
        const isNew = acknowledged(conversation, record.received);
        if (isNew) from.flush();
        acknowledge(conversation);
      } else if (record.type === "close") {
        closing = record;
        // No other poll, until the tabs have it.
        from.hold?.();
        if (isLeft) closed();
        else events.onRecord(session.received + 1, record);
      } else if (record.type !== "heartbeat") received(record);
      update();
    },
    onEnd(from, end) {
      if (isDetached) return;
      // The server has given the session to another request: to that of the next leader, if this tab leads no more.
      if (end.code === REPLACED || end.status === 409) {
        events.isDeposed().then((isDeposed) => isDeposed || isDetached || replaced(from, end));
      } else ended(from, end);
      update();
    },
    onFailure: (failures, delayMs) => events.onFailure(failures, delayMs),
    onFinish: () => finish(conversation),
  });
  const conversation: Conversation = {
    ...options,
    selector,
    events: own,
    drains: drains(),
    codec: undefined,
    begunAt: 0,
    losses: 0,
    size: 0,
  };
  /** The last acknowledgement that the tabs know. */
  let told = session.acknowledged;

  own.listening.onError((error) => events.onError(error));
  own.listening.onClose(({ by, code, reason }) => {
    if (by === "server" && !closing) events.onEnd(code, reason);
  });
  selector.begin();

  function opened(from: Carrier, record: OpenRecord): void {
    closing = undefined;
    if (!continues(session, record)) {
      // The tabs decide which of their records they send again.
      for (const kept of session.after()) kept.sends ??= 1;
    }
    open(conversation, from, record);
    if (session.epoch !== epoch) {
      epoch = session.epoch;
      session.shared = session.received;
      told = session.acknowledged;
      events.onRenewed(session);
    }
    tellAcknowledged();
    if (from === carrier || from !== selector.current) return;
    carrier = from;
    events.onOpen(from.kind);
  }

  function received(record: ServerNumberedRecord): void {
    const before = session.received;
    receive(conversation, record);
    if (session.received > before) events.onRecord(session.received, record);
  }

  function ended(from: Carrier, end: CarrierEnd): void {
    carrierEnded(conversation, from, end);
  }

  /**
   * This tab leads, and the server has seen a higher attempt: of a leader of which this one does not know, and which is gone. What
   * that one has told the server is lost with it, so another session begins.
   */
  function replaced(from: Carrier, end: CarrierEnd): void {
    const isNewest = end.attempt === conversation.tries && (end.status === 409 || from === conversation.carrier);
    if (isNewest && !selector.takeAbandoned()) session.token = undefined;
    carrierEnded(conversation, from, { what: end.what });
  }

  function tellAcknowledged(): void {
    if (session.acknowledged <= told) return;
    told = session.acknowledged;
    events.onAcknowledged(told);
  }

  /** All tabs have the server's `close`. */
  function closed(): void {
    const record = closing!;
    // A server that asks for another session goes on.
    if (record.retryMs !== undefined) closing = undefined;
    receive(conversation, record);
    update();
  }

  function update(): void {
    // The answer to a POST of an earlier carrier acknowledges records without the selector.
    tellAcknowledged();
    if (!carrier || selector.current) return;
    carrier = undefined;
    if (!isDetached && !own.ending) events.onLost();
  }

  return {
    get isOpen() {
      return selector.current !== undefined;
    },
    get bufferedAmount() {
      return session.bufferedAmount;
    },
    send: (record) => void session.send(record),
    flush: () => selector.current?.flush(),
    confirm(number) {
      session.shared = number;
      if (closing && number > session.received) {
        // Without a carrier it cannot be acknowledged. It arrives again on the next one.
        if (selector.current) closed();
      } else if (session.isAckDue || carrier?.kind === "poll" || !conversation.cancelTimer) acknowledge(conversation);
    },
    hold(isHolding) {
      session.holders = isHolding ? 1 : 0;
      if (!isHolding) selector.current?.acknowledge();
    },
    check: (event) => selector.check(event),
    close(record) {
      if (selector.current) close(conversation, record?.code, record?.reason);
      else detach();
    },
    detach,
  };

  function detach(): void {
    if (isDetached || own.ending) return;
    if (closing && !isLeft) {
      isLeft = true;
      session.shared = Number.POSITIVE_INFINITY;
      options.after(LINGER_MS, detach);
      if (selector.current) closed();
      return;
    }
    isDetached = true;
    // Nothing more is said in the session's name: no acknowledgement, and no record.
    session.holders = 1;
    session.restart(session.sent, session.received);
    own.end(closeStatus("client", 1000, ""));
    selector.stop("server");
    finish(conversation);
  }
}
