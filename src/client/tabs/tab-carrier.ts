// The carrier that a tab's connection has while it shares a session: it turns the shared state into the records of the session
// protocol, with the tab's own numbers, and passes the tab's records on to the tab that leads.

import type { ClientNumberedRecord, OpenRecord } from "../../codec/session-record.ts";
import type { Carrier, CarrierKind } from "../carrier.ts";
import type { KeptRecord } from "../client-session.ts";
import type { SharingOwner } from "../sharing.ts";
import { MAX_SESSIONS } from "./limits.ts";
import type { Mirror } from "./mirror.ts";
import type { Entry } from "./notes.ts";

export interface TabCarrierOptions {
  readonly id: string;
  readonly mirror: Mirror;
  readonly owner: SharingOwner;
  /** Sends records to the tab that leads; the first one has this number. */
  send(seq: number, records: readonly ClientNumberedRecord[]): void;
  /** A loop of this tab falls behind, or has caught up. */
  onHold(isHolding: boolean): void;
  /** The server has acknowledged records of this tab, or the session has a carrier. */
  onProgress(): void;
}

export interface TabCarrier {
  /** The connection's carrier; undefined while the session has none. */
  readonly current: Carrier | undefined;
  readonly isHolding: boolean;
  /** Opens the connection if the session has a carrier. */
  open(): void;
  /** The session has no carrier, or no leader. */
  drop(): void;
  /** Takes a change that the mirror has applied. */
  take(entry: Entry): void;
  /** Called before the mirror adopts a state of another epoch: it is not known which records the leader has taken. */
  loseEpoch(): void;
  /** Called when the mirror has adopted a state; `forgotten`: the number of forgotten tabs before. */
  adopted(forgotten: number): void;
  /** The leader has no room. */
  stall(): void;
  /** Sends the records that were added. */
  flush(): void;
}

/** The limits of a server do not concern a tab: the leader keeps to them. */
const OPEN = { heartbeatMs: 25_000, resumeMs: 60_000 } as const;

export function tabCarrier(options: TabCarrierOptions): TabCarrier {
  const { id, mirror, owner } = options;
  const { session } = owner;
  let current: Carrier | undefined;
  /** The tab's records up to this number were sent to the leader; those up to `assigned` have a number in the session. */
  let posted = 0;
  let assigned = 0;
  /** Each of the tab's records up to this number may have reached a session that is lost. */
  let maybeSent = 0;
  /** True if the others have forgotten this tab's numbers: it is not known which of its records the server has. */
  let isForgotten = false;
  /** The server's session whose records this tab has received, by its token, … */
  let token: string | undefined;
  /** … and how many it has received of those before: the tab that leads next may not know of a later session. */
  const receivedOf = new Map<string, number>();
  let isStalled = false;
  let isScheduled = false;
  let isHolding = false;

  function open(): void {
    const { epoch, transport } = mirror;
    if (!epoch || !transport) return;
    const isSame = session.token === epoch;
    const hasAll = isSame && mirror.logFirst <= session.received + 1;
    const isResumed = hasAll && !isForgotten;
    if (isSame && !isResumed) maybeSent = isForgotten ? posted : assigned;
    isForgotten = false;
    if (session.token && !isResumed) {
      for (const kept of session.after().slice(0, Math.max(maybeSent - session.acknowledged, 0))) kept.sends = 1;
    }
    const record: OpenRecord = {
      type: "open",
      session: epoch,
      resumed: isResumed,
      received: isResumed ? mirror.seqs(id).acked : assigned,
      first: firstRecord(),
      ...OPEN,
    };
    current = carrierOf(transport);
    keepToken();
    owner.onRecord(current, record);
    deliver();
    options.onProgress();
  }

  /** A tab that was there before gets all that is still kept and new to it. A new one begins now. */
  function firstRecord(): number {
    if (!session.token) return mirror.received + 1;
    // Another epoch may be of the same session of the server, whose records keep their numbers.
    const received = token === mirror.token ? session.received : (receivedOf.get(mirror.token!) ?? 0);
    return Math.max(mirror.logFirst, received + 1);
  }

  function keepToken(): void {
    if (token === mirror.token) return;
    if (token) receivedOf.set(token, session.received);
    if (receivedOf.size > MAX_SESSIONS) receivedOf.delete(receivedOf.keys().next().value!);
    token = mirror.token;
  }

  function drop(): void {
    if (!current) return;
    const carrier = current;
    current = undefined;
    owner.onEnd(carrier, { what: "the session has no carrier" });
  }

  /** Gives the connection the records that have arrived. */
  function deliver(): void {
    while (current) {
      const record = mirror.record(session.received + 1);
      if (!record) return;
      owner.onRecord(current, record);
      reportHold();
    }
  }

  function acknowledged(): void {
    const { acked } = mirror.seqs(id);
    if (current && acked > session.acknowledged) owner.onRecord(current, { type: "ack", received: acked });
    if (isStalled) {
      isStalled = false;
      posted = assigned;
      flush();
    }
    options.onProgress();
  }

  function carrierOf(kind: CarrierKind): Carrier {
    return {
      kind,
      begin() {
        posted = assigned;
        isStalled = false;
        flush();
      },
      flush() {
        // Records of one turn are one note.
        if (isScheduled) return;
        isScheduled = true;
        queueMicrotask(flush);
      },
      acknowledge() {
        session.takeAck();
        reportHold();
      },
      heartbeat: () => true,
      finish() {},
      end() {},
    };
  }

  function flush(): void {
    isScheduled = false;
    if (!current) return;
    // A `close` stays in its tab: the others go on.
    const records = session.after(posted).flatMap((record) => (record.type === "close" ? [] : [toWire(record)]));
    if (records.length === 0) return;
    const seq = posted + 1;
    posted += records.length;
    options.send(seq, records);
  }

  function reportHold(): void {
    const isBehind = session.holders > 0;
    if (isBehind === isHolding) return;
    isHolding = isBehind;
    options.onHold(isHolding);
  }

  return {
    get current() {
      return current;
    },
    get isHolding() {
      return isHolding;
    },
    open,
    drop,
    take(entry) {
      if (entry.type === "down") deliver();
      else if (entry.type === "up") {
        if (entry.tab === id) assigned = entry.seq;
      } else if (entry.type === "acked") acknowledged();
      else if (entry.type === "open") open();
      else if (entry.type === "lost") {
        // The leader has taken those that have a number, and takes no others now.
        posted = assigned;
        drop();
      } else if (entry.type === "forget") return;
      else if (entry.type === "renew") {
        // An earlier leader of which this one does not know may have taken what was posted.
        maybeSent = Math.max(assigned, posted);
        assigned = 0;
        drop();
      } else owner.onRecord(current ?? carrierOf("websocket"), { ...entry, type: "close" });
    },
    loseEpoch() {
      isForgotten = false;
      maybeSent = posted;
      drop();
    },
    adopted(forgotten) {
      const isKnown = mirror.knows(id);
      isForgotten = !isKnown && (isForgotten || (posted > 0 && mirror.forgotten > forgotten));
      assigned = mirror.seqs(id).assigned;
    },
    stall() {
      isStalled = true;
    },
    flush,
  };
}

/** The record without the data that the client adds. */
export function toWire({
  value: _,
  sends: __,
  offset: ___,
  refusal: ____,
  ...record
}: KeptRecord): ClientNumberedRecord {
  return record as ClientNumberedRecord;
}
