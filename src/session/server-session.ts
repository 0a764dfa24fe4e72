// The server's end of a session's numbers (`protocol/session.ts`): the budget counts the records that are kept for the
// client, and over a WebSocket only messages that the application has taken are acknowledged.

import type { NumberedRecord } from "../codec/session-record.ts";
import { type CompactRecord, Session } from "../protocol/session.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { Incoming } from "./incoming.ts";

type KeptRecord = CompactRecord<NumberedRecord>;

export class ServerSession extends Session<KeptRecord> {
  readonly #budget: BufferBudget;
  readonly #incoming: Incoming;
  /** The value of `taken` when the application closed: later messages are dropped, and not acknowledged. */
  #takenAtClose: number | undefined;
  /** The number of the last record for which the client was asked to acknowledge at once. */
  #askedFor: number | undefined;

  /** `budget`: all kept records count, even with a carrier, as a client may read and never acknowledge. */
  constructor(budget: BufferBudget, incoming: Incoming) {
    super();
    this.#budget = budget;
    this.#incoming = incoming;
  }

  /** The number of the last of the client's records that is not waiting for the application. */
  get taken(): number {
    return this.#takenAtClose ?? this.received - this.#incoming.untaken;
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
    return super.hasAck && this.hasAckFor(this.taken);
  }

  override get isAckDue(): boolean {
    return super.isAckDue && this.isAckDueFor(this.taken);
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

  override end(): void {
    this.#budget.change(this.bufferedAmount, 0);
    super.end();
  }
}
