// One end of a session, the same for server and client: PROTOCOL.md, "Numbers", "Acknowledgements" and "Taking up".
// It numbers what is sent and keeps it until the other end has it; it knows what has come, and so tells what is new from
// what came before. It knows nothing of carriers: whoever owns it writes to one what this hands out. No clock either:
// the owner acknowledges at once when `isAckDue`, and within ACK_MS when there `hasAck`.

import { ChannelError } from "../base/channel-error.ts";
import { memorySize } from "../base/memory-size.ts";
import { Queue } from "../base/queue.ts";
import type { NumberedRecord, SessionRecord } from "../codec/session-record.ts";

/** An acknowledgement is due after so many records … */
const ACK_RECORDS = 16;
/** … or so many bytes, counted by `recordSize` … */
const ACK_BYTES = 65_536;
/** … or after so many milliseconds, which is for the owner to measure. */
export const ACK_MS = 1000;
const MIN_RECORD_SIZE = 64;

/** A record, or the text of a text message alone: no object is made for nearly all of them. */
export type CompactRecord<R extends SessionRecord = SessionRecord> = R | string;

/** `R`: what the owner keeps with a record. */
export class Session<R extends CompactRecord<NumberedRecord> = NumberedRecord> {
  /** The number of the last record sent; the first one is 1. */
  sent = 0;
  /** The other end has all of ours from 1 to this one. */
  acknowledged = 0;
  /** The memory that is taken by what was sent and not acknowledged: `keptSize` of each record. */
  bufferedAmount = 0;
  /** All of the other end's from 1 to this one have come. */
  received = 0;
  /** The number of the next record on the present carrier, which may repeat what came on the one before. */
  #next = 1;
  /** From `acknowledged` + 1 to `sent`; undefined when empty, for the sake of the many that are idle. */
  #kept: Queue<R> | undefined;
  /** The value of `received` that the other end was told last. */
  #said = 0;
  /** A record has come again: the other end does not know that we have it. */
  #hasRepeated = false;
  #unsaidRecords = 0;
  #unsaidBytes = 0;

  /** Numbers a record and keeps it. The caller writes it to the carrier, if there is one. */
  send(record: R): number {
    this.#kept ??= new Queue();
    this.#kept.push(record);
    this.bufferedAmount += keptSize(record);
    this.sent += 1;
    return this.sent;
  }

  /**
   * The other end has all to `number`; an older number says nothing new. True if something was still kept. Throws
   * BAD_RECORD for what was never sent.
   */
  acknowledge(number: number): boolean {
    if (number > this.sent) throw new ChannelError("BAD_RECORD", `ack ${number} of ${this.sent}`);
    if (number <= this.acknowledged) return false;
    if (number === this.sent) {
      this.bufferedAmount = 0;
      this.#kept = undefined;
    } else {
      for (let i = this.acknowledged; i < number; i++) this.bufferedAmount -= keptSize(this.#kept!.shift()!);
    }
    this.acknowledged = number;
    return true;
  }

  /** It is over: nothing that was sent is kept for anybody. */
  end(): void {
    this.bufferedAmount = 0;
    this.#kept = undefined;
  }

  /** The oldest record that is not acknowledged. */
  get first(): R | undefined {
    return this.#kept?.at(0);
  }

  /** What a carrier that begins behind `number` is to carry, in order; without it, all that is not acknowledged. */
  after(number: number = this.acknowledged): readonly R[] {
    return this.#kept?.slice(Math.max(number - this.acknowledged, 0)) ?? [];
  }

  /** The next record on the present carrier has this number. */
  continueAt(number: number): void {
    this.#next = number;
  }

  /** The next record arrived on the present carrier: `receive` with its number. */
  receiveNext(record: CompactRecord<NumberedRecord>): boolean {
    return this.receive(this.#next++, record);
  }

  /** A record arrived. True: it is the next one, take it. False: it came before. Throws BAD_RECORD for one too far ahead. */
  receive(number: number, record: CompactRecord<NumberedRecord>): boolean {
    if (number <= this.received) {
      this.#hasRepeated = true;
      this.#unsaidRecords += 1;
      return false;
    }
    if (number > this.received + 1) throw new ChannelError("BAD_RECORD", `number ${number} after ${this.received}`);
    this.received = number;
    this.#unsaidRecords += 1;
    this.#unsaidBytes += recordSize(record);
    return true;
  }

  /** Something has come that the other end does not know we have. */
  get hasAck(): boolean {
    return this.owes(this.received);
  }

  /** The same, and too much of it to wait. */
  get isAckDue(): boolean {
    return this.owesSoon(this.received);
  }

  /** An acknowledgement of records 1 to `taken` would tell the other end something. */
  owes(taken: number): boolean {
    return taken > this.#said || this.#hasRepeated;
  }

  /** The same, and too much of it to wait. `taken` is less than `received` while the application is behind. */
  owesSoon(taken: number): boolean {
    const withheld = this.received - taken;
    const isMuch = this.#unsaidRecords - withheld >= ACK_RECORDS || this.#unsaidBytes >= ACK_BYTES;
    return isMuch && this.owes(taken);
  }

  /**
   * The number that the caller now tells the other end: in an `ack`, an `open`, an `after`. An owner that withholds the
   * acknowledgement of what the application has not taken yet gives the number that it has taken.
   */
  takeAck(taken: number = this.received): number {
    this.#said = Math.max(taken, this.#said);
    this.#hasRepeated = false;
    this.#unsaidRecords = this.received - this.#said;
    if (this.#unsaidRecords === 0) this.#unsaidBytes = 0;
    return this.#said;
  }
}

/**
 * Bytes, or UTF-16 units of a text, of which it never has more than bytes: both ends can count them without encoding.
 * Never less than 64, so that many empty records are acknowledged too.
 */
export function recordSize(record: CompactRecord<NumberedRecord>): number {
  return Math.max(dataOf(record).length, MIN_RECORD_SIZE);
}

/** The memory that a kept record takes, and never less than what an empty one costs. */
export function keptSize(record: CompactRecord<NumberedRecord>): number {
  const data = dataOf(record);
  // A short text is below the least size, whatever its characters.
  if (data.length * 2 <= MIN_RECORD_SIZE) return MIN_RECORD_SIZE;
  return Math.max(typeof data === "string" ? memorySize(data) : data.length, MIN_RECORD_SIZE);
}

function dataOf(record: CompactRecord<NumberedRecord>): string | Uint8Array {
  return typeof record === "string" ? record : record.type === "message" ? record.data : "";
}
