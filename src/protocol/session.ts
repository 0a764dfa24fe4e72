// One end of a session, the same for server and client: PROTOCOL.md, "Numbers", "Acknowledgements" and "Resuming a session".
// It numbers sent records and keeps them until the other end acknowledges them, and it recognizes received records that
// were received before. It has no carrier and no clock: the owner writes records to a carrier, acknowledges at once when
// `isAckDue`, and within ACK_MS when `hasAck`.

import { ChannelError } from "../base/channel-error.ts";
import { memorySize } from "../base/memory-size.ts";
import type { NumberedRecord, OpenRecord, SessionRecord } from "../codec/session-record.ts";

/** An acknowledgement is due after this many records, … */
const ACK_RECORDS = 16;
/** … after this many bytes (`recordSize`), … */
const ACK_BYTES = 65_536;
/** … or after this many milliseconds, which the owner measures. */
export const ACK_MS = 1000;
const MIN_RECORD_SIZE = 64;
/** Number of acknowledged records from which on the list of the kept ones is compacted. */
const COMPACT_FROM = 64;

/** A record, or the text of a text message alone: no object is made for nearly all of them. */
export type CompactRecord<R extends SessionRecord = SessionRecord> = R | string;

/** `R`: a record with the data that its owner adds. */
export class Session<R extends CompactRecord<NumberedRecord> = NumberedRecord> {
  /** The number of the last record sent; the first one is 1. */
  sent = 0;
  /** The other end has acknowledged records 1 to this number. */
  acknowledged = 0;
  /** Memory of the sent records that are not acknowledged: the sum of their `keptSize`. */
  bufferedAmount = 0;
  /** Records 1 to this number of the other end have arrived. */
  received = 0;
  /** The number of the next record on the present carrier, which may repeat records of the previous one. */
  #next = 1;
  /**
   * The records up to `sent`, in order; those up to `acknowledged` are undefined. Itself undefined when nothing is kept: most
   * sessions are idle. Not a `Queue`: in the client of a page that class would cost 150 bytes, and here the numbers of the
   * records already tell where the first one is.
   */
  #kept: (R | undefined)[] | undefined;
  /** The number in the acknowledgement that was sent last. */
  acked = 0;
  /** A record has arrived again: the acknowledgement of it was lost. */
  #hasRepeated = false;
  #unackedRecords = 0;
  #unackedBytes = 0;

  /** Numbers a record and keeps it. The caller writes it to the carrier, if there is one. */
  send(record: R): number {
    (this.#kept ??= []).push(record);
    this.bufferedAmount += keptSize(record);
    this.sent += 1;
    return this.sent;
  }

  /**
   * The other end has acknowledged records 1 to `number`. Returns true if any of them was still kept. Throws BAD_RECORD for
   * a number that was never sent.
   */
  acknowledge(number: number): boolean {
    if (number > this.sent) throw new ChannelError("BAD_RECORD", `ack ${number} of ${this.sent}`);
    if (number <= this.acknowledged) return false;
    if (number === this.sent) {
      this.bufferedAmount = 0;
      this.#kept = undefined;
    } else {
      const kept = this.#kept!;
      const start = kept.length - this.sent;
      for (let i = start + this.acknowledged; i < start + number; i++) {
        this.bufferedAmount -= keptSize(kept[i]!);
        kept[i] = undefined;
      }
      // Compacted once half of it is empty, so that each record moves at most once.
      if (start + number >= Math.max(kept.length / 2, COMPACT_FROM)) this.#kept = kept.slice(start + number);
    }
    this.acknowledged = number;
    return true;
  }

  /** Begins again: records 1 to `sent` were sent and acknowledged, and records 1 to `received` have arrived. Keeps no record. */
  restart(sent: number, received: number): void {
    this.end();
    this.sent = this.acknowledged = sent;
    this.received = received;
    this.#next = received + 1;
    this.acked = this.#unackedRecords = this.#unackedBytes = 0;
    this.#hasRepeated = false;
  }

  /** Ends the session: forgets all records. */
  end(): void {
    this.bufferedAmount = 0;
    this.#kept = undefined;
  }

  /** The oldest record that is not acknowledged. */
  get first(): R | undefined {
    return this.#kept?.[this.#kept.length - this.sent + this.acknowledged];
  }

  /** The records after `number`, in order: a carrier sends them when it begins. By default all that are not acknowledged. */
  after(number: number = this.acknowledged): readonly R[] {
    const kept = this.#kept ?? [];
    return kept.slice(kept.length - this.sent + Math.max(number, this.acknowledged)) as R[];
  }

  /** The next record on the present carrier has this number. `_open`: the record that says so, for subclasses. */
  continueAt(number: number, _open?: OpenRecord): void {
    this.#next = number;
  }

  /** The next record arrived on the present carrier: `receive` with its number. */
  receiveNext(record: CompactRecord<NumberedRecord>): boolean {
    return this.receive(this.#next++, record);
  }

  /** Returns true if the record is the next one, false if it has arrived before. Throws BAD_RECORD if a number is missing. */
  receive(number: number, record: CompactRecord<NumberedRecord>): boolean {
    if (number <= this.received) {
      this.#hasRepeated = true;
      this.#unackedRecords += 1;
      return false;
    }
    if (number > this.received + 1) throw new ChannelError("BAD_RECORD", `number ${number} after ${this.received}`);
    this.received = number;
    this.#unackedRecords += 1;
    this.#unackedBytes += recordSize(record);
    return true;
  }

  /** True if a received record is not acknowledged yet. */
  get hasAck(): boolean {
    return this.hasAckFor(this.received);
  }

  /** True if so many records or bytes are unacknowledged that the acknowledgement must not wait. */
  get isAckDue(): boolean {
    return this.isAckDueFor(this.received);
  }

  /** Like `hasAck`, for records 1 to `taken`. */
  hasAckFor(taken: number): boolean {
    return taken > this.acked || this.#hasRepeated;
  }

  /** Like `isAckDue`, for records 1 to `taken`, which is less than `received` while the application is behind. */
  isAckDueFor(taken: number): boolean {
    const withheld = this.received - taken;
    const isMuch = this.#unackedRecords - withheld >= ACK_RECORDS || this.#unackedBytes >= ACK_BYTES;
    return isMuch && this.hasAckFor(taken);
  }

  /**
   * Returns the number that the caller acknowledges now, in an `ack`, `open` or `after`. `taken`: an owner that acknowledges
   * only the records that the application has taken passes the number of the last of these.
   */
  takeAck(taken: number = this.received): number {
    this.acked = Math.max(taken, this.acked);
    this.#hasRepeated = false;
    this.#unackedRecords = this.received - this.acked;
    if (this.#unackedRecords === 0) this.#unackedBytes = 0;
    return this.acked;
  }
}

/**
 * The number of bytes, or of UTF-16 units of a text: both ends can count these without encoding. At least 64, so that many
 * empty records are acknowledged too.
 */
export function recordSize(record: CompactRecord<NumberedRecord>): number {
  return Math.max(dataOf(record).length, MIN_RECORD_SIZE);
}

/** The memory of a kept record, at least that of an empty one. */
export function keptSize(record: CompactRecord<NumberedRecord>): number {
  const data = dataOf(record);
  // A short text is below the least size with any characters.
  if (data.length * 2 <= MIN_RECORD_SIZE) return MIN_RECORD_SIZE;
  return Math.max(typeof data === "string" ? memorySize(data) : data.length, MIN_RECORD_SIZE);
}

function dataOf(record: CompactRecord<NumberedRecord>): string | Uint8Array {
  if (typeof record === "string") return record;
  // All kinds of records have these members, or have none of them.
  const { data, group = "" } = record as { readonly data?: string | Uint8Array; readonly group?: string };
  return data ?? group;
}
