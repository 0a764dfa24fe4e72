// The part of a session that outlives its carriers, all of it, and nothing else: its token and settings, the numbers and the
// kept records of `protocol/session.ts`, the received messages that wait, how it ends, and the client's last attempt. A process
// that takes a session over needs exactly this.

import type { NumberedRecord } from "../codec/session-record.ts";
import { type CompactRecord, Session } from "../protocol/session.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { Claim } from "./claim.ts";
import type { SessionContext, SessionSettings } from "./context.ts";
import { Cursors } from "./cursors.ts";
import { Incoming } from "./incoming.ts";
import { Requests } from "./requests.ts";
import type { SessionSnapshot } from "./snapshot.ts";
import { SessionState } from "./state.ts";

type KeptRecord = CompactRecord<NumberedRecord>;

export class ServerSession extends Session<KeptRecord> {
  readonly token: string;
  readonly settings: SessionSettings;
  readonly incoming: Incoming;
  readonly state: SessionState = new SessionState();
  /** The highest attempt number that has resumed the session; undefined if its client does not number its attempts. */
  attempt: number | undefined;
  /** The date at which the identity of the client ends, in milliseconds; undefined: never. The channel looks at it. */
  expiresAt: number | undefined;
  /** Set if the client keeps the cursors of its groups. */
  cursors: Cursors | undefined;
  /** Set if the client takes requests. */
  requests: Requests | undefined;
  /** Set while the session, which came from the session store, may be taken from this process. */
  claim: Claim | undefined;
  /** Records after this number wait for the claim. Means nothing without one. */
  #sentBefore = 0;
  /** Counts all kept records, even those of a session with a carrier, as a client may read and never acknowledge. */
  readonly #budget: BufferBudget;
  /** The value of `taken` when the application closed: later messages are dropped, and not acknowledged. */
  #takenAtClose: number | undefined;
  /** The number of the last record for which the client was asked to acknowledge at once. */
  #askedFor: number | undefined;

  constructor(token: string, settings: SessionSettings, { buffered, received }: SessionContext) {
    super();
    this.token = token;
    this.settings = settings;
    this.#budget = buffered;
    this.incoming = new Incoming(received);
  }

  /** The number of the last of the client's records that is not waiting for the application. */
  get taken(): number {
    return this.#takenAtClose ?? this.received - this.incoming.untaken;
  }

  /**
   * The number that is acknowledged to a client that sends on: that of the last record taken. While the application waits for a reply
   * of the client, that of the last one which has arrived: the client may have to send more before the reply.
   */
  get ackNumber(): number {
    return this.#takenAtClose === undefined && this.awaitsReply ? this.received : this.taken;
  }

  /** True if the application waits for a reply of the client. */
  get awaitsReply(): boolean {
    return this.incoming.listener?.awaitsReply === true;
  }

  /** True if a client that has the records up to `after` may resume: they were sent, and something is left to send. */
  canResume(after: number): boolean {
    if (this.state.isOver || after > this.sent) return false;
    return this.state.isOpen || after < this.sent;
  }

  /** True for a request that comes late: one with a higher attempt number has resumed the session. */
  isLate(attempt: number | undefined): boolean {
    return attempt !== undefined && this.attempt !== undefined && attempt < this.attempt;
  }

  /** The time until the identity ends: a duration, because the client's date may be another. At least 1: a tick ends the session. */
  expiresInMs(date: number): number | undefined {
    return this.expiresAt === undefined ? undefined : Math.max(Math.floor(this.expiresAt - date), 1);
  }

  /** Continues the session of another process: with its numbers, and the records that the client has not acknowledged. */
  restore({ acknowledged, received, kept, attempt, cursors, requests, takenAtClose }: SessionSnapshot): void {
    if (requests !== undefined) this.requests = new Requests(requests);
    if (cursors !== undefined) this.cursors = Cursors.restore(cursors, this.incoming.budget);
    this.sent = acknowledged;
    this.acknowledged = acknowledged;
    this.received = received;
    this.attempt = attempt;
    for (const record of kept) this.send(record);
    this.#sentBefore = this.sent;
    const last = kept.at(-1);
    if (typeof last !== "object" || last.type !== "close") return;
    this.state.restoreClose(last);
    this.#takenAtClose = takenAtClose;
  }

  get takenAtClose(): number | undefined {
    return this.#takenAtClose;
  }

  /** The kept records that may be written: while the session waits for its claim, those that it came with. */
  writable(): readonly KeptRecord[] {
    const kept = this.after();
    return this.claim === undefined ? kept : kept.slice(0, Math.max(this.#sentBefore - this.acknowledged, 0));
  }

  /** The kept records that have waited for the claim. */
  waited(): readonly KeptRecord[] {
    return this.after(this.#sentBefore);
  }

  stopTaking(): void {
    this.#takenAtClose = this.taken;
  }

  /** Returns true if the last record is not acknowledged and the client was not asked for that so far. It is asked now. */
  askOnce(): boolean {
    if (this.bufferedAmount === 0 || this.#askedFor === this.sent) return false;
    this.#askedFor = this.sent;
    return true;
  }

  override get hasAck(): boolean {
    return super.hasAck && this.hasAckFor(this.ackNumber);
  }

  override get isAckDue(): boolean {
    return super.isAckDue && this.isAckDueFor(this.ackNumber);
  }

  /** By default the number up to which the client's records have arrived. */
  override takeAck(taken: number = this.#takenAtClose ?? this.received): number {
    return super.takeAck(taken);
  }

  override send(record: KeptRecord): number {
    const before = this.bufferedAmount;
    const number = super.send(record);
    this.#budget.change(before, this.bufferedAmount);
    return number;
  }

  override acknowledge(number: number): boolean {
    const before = this.bufferedAmount;
    const isNew = super.acknowledge(number);
    this.#budget.change(before, this.bufferedAmount);
    return isNew;
  }

  /** Ends the session: forgets the kept records, and the messages that wait. */
  override end(): void {
    this.incoming.clear();
    this.cursors?.clear();
    this.#budget.change(this.bufferedAmount, 0);
    super.end();
  }
}
