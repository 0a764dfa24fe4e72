// The shared state of a session, as each tab has it. It has no clock, no lock and no channel: the leader makes changes, and all
// tabs apply them in the same order. The tab that leads next continues the session from here.

import type { ServerNumberedRecord } from "../../codec/session-record.ts";
import { keptSize } from "../../protocol/session.ts";
import type { CarrierKind } from "../carrier.ts";
import { ClientSession } from "../client-session.ts";
import { LOG_BYTES, MAX_TABS } from "./limits.ts";
import type { Assigned, Entry, State } from "./notes.ts";

/** The numbers of one tab: its records 1 to `assigned` are the session's, and the server has those up to `acked`. */
interface Seqs {
  assigned: number;
  acked: number;
}

const NONE: Readonly<Seqs> = { assigned: 0, acked: 0 };

export class Mirror {
  /** The number of the leader whose changes these are. The terms of later leaders are higher. */
  term = 0;
  /** The number of changes in this term. */
  position = 0;
  /** Names the numbers of the session: they begin again with each epoch. Undefined before the first session. */
  epoch: string | undefined;
  token: string | undefined;
  /** The server has records 1 to this number. */
  acknowledged = 0;
  /** Records 1 to this number of the server have arrived. */
  received = 0;
  /** The records after `acknowledged`, in order. */
  kept: Assigned[] = [];
  /** Undefined while the session has no carrier. */
  transport: CarrierKind | undefined;
  /** The last records of the server, in order. */
  #log: ServerNumberedRecord[] = [];
  #logFirst = 1;
  #logBytes = 0;
  /** How many tabs were forgotten so far: a tab that finds itself unknown may be one of them. */
  forgotten = 0;
  /** The tab that has sent last is last. */
  #seqs = new Map<string, Seqs>();
  /** Keeps the cursors of groups, and nothing else. */
  #groups = new ClientSession();

  /** The oldest record that a tab can still get. */
  get logFirst(): number {
    return this.#logFirst;
  }

  /** The record with this number, if it has arrived and is still kept. */
  record(number: number): ServerNumberedRecord | undefined {
    return this.#log[number - this.#logFirst];
  }

  seqs(tab: string): Readonly<Seqs> {
    return this.#seqs.get(tab) ?? NONE;
  }

  /** True if records of this tab have numbers, and it was not forgotten. */
  knows(tab: string): boolean {
    return this.#seqs.has(tab);
  }

  /**
   * The tab to forget before another one gets numbers: of those that `isThere` does not name, the one that has not sent for
   * longest. Undefined while there is room, or if all are there.
   */
  tabToForget(isThere: (tab: string) => boolean): string | undefined {
    if (this.#seqs.size < MAX_TABS) return undefined;
    for (const tab of this.#seqs.keys()) if (!isThere(tab)) return tab;
    return undefined;
  }

  /** True if `other` has more changes. */
  isBehind({ term, position }: { readonly term: number; readonly position: number }): boolean {
    return term > this.term || (term === this.term && position > this.position);
  }

  apply(entry: Entry): void {
    this.position += 1;
    if (entry.type === "down") this.#receive(entry.number, entry.record);
    else if (entry.type === "up") this.#assign(entry);
    else if (entry.type === "acked") this.#acknowledge(entry.number);
    else if (entry.type === "forget") this.#forget(entry.tab);
    else if (entry.type === "renew") this.#renew(entry);
    else this.transport = entry.type === "open" ? entry.transport : undefined;
  }

  /** The state, with those records of the server that a tab lacks that has the epoch's records up to `received`. */
  state(epoch?: string | undefined, received = 0): State {
    const first = Math.max(epoch === this.epoch ? received + 1 : 0, this.#logFirst);
    return {
      term: this.term,
      position: this.position,
      epoch: this.epoch,
      token: this.token,
      acknowledged: this.acknowledged,
      received: this.received,
      kept: this.kept,
      seqs: [...this.#seqs].map(([tab, { assigned, acked }]) => [tab, assigned, acked]),
      forgotten: this.forgotten,
      cursors: [...this.#groups.cursors],
      hasForgotten: this.#groups.hasForgotten,
      transport: this.transport,
      logFirst: first,
      log: this.#log.slice(first - this.#logFirst),
    };
  }

  adopt(state: State): void {
    const isSame = state.epoch === this.epoch;
    this.term = state.term;
    this.position = state.position;
    this.epoch = state.epoch;
    this.token = state.token;
    this.acknowledged = state.acknowledged;
    this.kept = [...state.kept];
    this.transport = state.transport;
    this.#seqs = new Map(state.seqs.map(([tab, assigned, acked]) => [tab, { assigned, acked }]));
    this.forgotten = state.forgotten;
    this.#groups = new ClientSession();
    for (const [group, id] of state.cursors) this.#groups.keepCursor(group, id);
    this.#groups.hasForgotten = state.hasForgotten;
    // Records that this tab has and the new leader has not arrive again, with the same numbers.
    if (!isSame || state.logFirst > this.received + 1) this.#startLog(state.logFirst - 1);
    for (const [at, record] of state.log.entries()) this.#keep(state.logFirst + at, record);
    this.received = state.received;
  }

  /** The session as its next leader continues it. */
  toSession(): ClientSession {
    const session = new ClientSession();
    session.restart(this.acknowledged, this.received);
    session.token = this.token;
    session.shared = this.received;
    for (const [group, id] of this.#groups.cursors) session.keepCursor(group, id);
    session.hasForgotten = this.#groups.hasForgotten;
    // The leader before may have sent each of them.
    for (const { record } of this.kept) session.send({ ...record, sends: 1 });
    return session;
  }

  #receive(number: number, record: ServerNumberedRecord): void {
    if (number <= this.received) return;
    this.received = number;
    if (record.type === "group" && !record.reset) this.#groups.keepCursor(record.group, record.id);
    this.#keep(number, record);
  }

  #keep(number: number, record: ServerNumberedRecord): void {
    if (number < this.#logFirst + this.#log.length) return;
    this.#log.push(record);
    this.#logBytes += keptSize(record);
    let dropped = 0;
    while (this.#logBytes > LOG_BYTES && dropped < this.#log.length - 1) {
      this.#logBytes -= keptSize(this.#log[dropped]!);
      dropped += 1;
    }
    if (dropped === 0) return;
    this.#log.splice(0, dropped);
    this.#logFirst += dropped;
  }

  #startLog(received: number): void {
    this.#log = [];
    this.#logBytes = 0;
    this.#logFirst = received + 1;
  }

  #assign({ tab, seq, record }: Assigned): void {
    this.kept.push({ tab, seq, record });
    const { acked } = this.seqs(tab);
    this.#seqs.delete(tab);
    this.#seqs.set(tab, { assigned: seq, acked });
  }

  #forget(tab: string): void {
    this.#seqs.delete(tab);
    this.forgotten += 1;
  }

  #acknowledge(number: number): void {
    for (const { tab, seq } of this.kept.splice(0, number - this.acknowledged)) {
      const seqs = this.#seqs.get(tab);
      if (seqs) seqs.acked = seq;
    }
    this.acknowledged = number;
  }

  #renew({ epoch, token, acknowledged, received, kept }: Entry & { readonly type: "renew" }): void {
    this.epoch = epoch;
    this.token = token;
    this.acknowledged = acknowledged;
    this.received = received;
    this.kept = [...kept];
    this.#seqs = new Map();
    this.#startLog(received);
  }
}
