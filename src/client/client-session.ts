// The client's end of a session: adds data to the records that are kept, and can withhold acknowledgements.

import type { ClientNumberedRecord } from "../codec/session-record.ts";
import { Session } from "../protocol/session.ts";
import { MAX_CURSORS, MAX_REPETITIONS } from "./limits.ts";

/** A record that is kept until the server has acknowledged it. */
export type KeptRecord = ClientNumberedRecord & {
  /** The value that the application gave. */
  readonly value?: unknown;
  /** Number of times that it was written to a carrier; undefined if it cannot have arrived. Each doubles the patience. */
  sends?: number;
  /** Bytes that were sent before it on the current WebSocket. */
  offset?: number;
  /** The error with which the platform has refused it. */
  refusal?: unknown;
};

export class ClientSession extends Session<KeptRecord> {
  /** Number of `for await` loops that are behind. While there is one, nothing new is acknowledged. */
  holders = 0;
  /** Nothing after this number is acknowledged: other tabs do not have it yet. */
  shared: number = Number.POSITIVE_INFINITY;
  /** The session's secret; undefined until the first `open`. */
  token: string | undefined;
  /** The ids up to which everything of a group has arrived, by the group's name; the one that changed last is last. */
  readonly cursors: Map<string, string> = new Map();
  /** True if a cursor was forgotten because there were too many. */
  hasForgotten = false;
  /** Changes when the session begins again: the numbers of an earlier epoch mean nothing in a later one. */
  epoch = 0;

  /** Further verbs of the connection, and further members of the query of each request for the session: a subclass has them. */
  declare readonly verbs?: object | undefined;
  declare readonly query?: Readonly<Record<string, string>> | undefined;

  /** The value of a request's `after`. */
  get ackNumber(): number {
    return this.holders > 0 ? this.acked : Math.min(this.received, this.shared);
  }

  override get hasAck(): boolean {
    return this.holders <= 0 && this.hasAckFor(this.ackNumber);
  }

  override get isAckDue(): boolean {
    return this.isAckDueFor(this.ackNumber);
  }

  override takeAck(): number {
    return super.takeAck(this.ackNumber);
  }

  /** Factor for timeouts: 1, doubled each time that the oldest kept record was sent again. */
  get patience(): number {
    return 2 ** Math.min((this.first?.sends ?? 1) - 1, MAX_REPETITIONS);
  }

  /**
   * Begins again at these two numbers, as another session of the server or after a refused record, and sends the records
   * `first`, and then those of the kept records that `isWanted` names.
   */
  renew(
    acknowledged: number,
    received: number,
    isWanted: (record: KeptRecord) => boolean,
    first: readonly KeptRecord[] = [],
  ): void {
    const records = [...first, ...this.after().filter(isWanted)];
    this.restart(acknowledged, received);
    this.epoch += 1;
    for (const record of records) this.send(record);
  }

  /** Keeps the cursor of a group, or forgets it: PROTOCOL.md, "Groups". */
  keepCursor(group: string, id: string | undefined): void {
    this.cursors.delete(group);
    if (id === undefined) return;
    this.cursors.set(group, id);
    if (this.cursors.size > MAX_CURSORS) {
      this.cursors.delete(this.cursors.keys().next().value!);
      this.hasForgotten = true;
    }
  }

  /** The cursors as records for a new session of the server, which has asked for them. */
  cursorRecords(): KeptRecord[] {
    const records: KeptRecord[] = [];
    for (const [group, id] of this.cursors) records.push({ type: "since", group, id });
    return [...records, { type: "since", forgotten: this.hasForgotten }];
  }

  /** Returns the values that the application gave to `send` and the server has not acknowledged. */
  values(isWanted: (record: KeptRecord) => boolean = () => true): unknown[] {
    return this.after().flatMap((record) => (record.type === "message" && isWanted(record) ? [record.value] : []));
  }
}
