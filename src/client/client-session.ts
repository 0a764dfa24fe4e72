// The client's end of a session: adds data to the records that are kept, and can withhold acknowledgements.

import type { NumberedRecord } from "../codec/session-record.ts";
import { Session } from "../protocol/session.ts";
import { MAX_REPETITIONS } from "./limits.ts";

/** A record that is kept until the server has acknowledged it. */
export type KeptRecord = NumberedRecord & {
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
  /** While true, the application is behind, and nothing new is acknowledged. */
  isHeld = false;
  /** The last number that was acknowledged. */
  #acked = 0;

  /** The value of a request's `after`. */
  get ackNumber(): number {
    return this.isHeld ? this.#acked : this.received;
  }

  override get hasAck(): boolean {
    return !this.isHeld && super.hasAck;
  }

  override takeAck(): number {
    return (this.#acked = super.takeAck(this.ackNumber));
  }

  /** Factor for timeouts: 1, doubled each time that the oldest kept record was sent again. */
  get patience(): number {
    return 2 ** Math.min((this.first?.sends ?? 1) - 1, MAX_REPETITIONS);
  }

  /** Returns a session that begins at these two numbers and sends those of the kept records that `isWanted` names. */
  renewed(acknowledged: number, received: number, isWanted: (record: KeptRecord) => boolean): ClientSession {
    const session = new ClientSession();
    session.sent = session.acknowledged = acknowledged;
    session.received = received;
    session.continueAt(received + 1);
    session.isHeld = this.isHeld;
    for (const record of this.after()) if (isWanted(record)) session.send(record);
    return session;
  }

  /** Returns the values that the application gave to `send` and the server has not acknowledged. */
  values(isWanted: (record: KeptRecord) => boolean = () => true): unknown[] {
    return this.after().flatMap((record) => (record.type === "message" && isWanted(record) ? [record.value] : []));
  }
}
