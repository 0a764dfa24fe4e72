// The client's end of a session: what is kept of each record, and acknowledgements that can be withheld.

import type { NumberedRecord } from "../codec/session-record.ts";
import { Session } from "../protocol/session.ts";
import { MAX_REPETITIONS } from "./limits.ts";

/** A record that is kept until the server has it. */
export type Kept = NumberedRecord & {
  /** The value that the application gave. */
  readonly value?: unknown;
  /** How often it was written to a carrier. Once is enough for it to have arrived; each time doubles the patience. */
  sends?: number;
  /** The bytes that the present WebSocket was given before it. */
  offset?: number;
  /** Why the platform refused it. */
  refusal?: unknown;
};

export class ClientSession extends Session<Kept> {
  /** While true, nothing new is acknowledged: the application is behind. */
  isHeld = false;
  /** The number that the server was told last. */
  #said = 0;

  /** What a request's `after` says. */
  get said(): number {
    return this.isHeld ? this.#said : this.received;
  }

  override get hasAck(): boolean {
    return !this.isHeld && super.hasAck;
  }

  override takeAck(): number {
    return (this.#said = super.takeAck(this.said));
  }

  /** 1, doubled for each time that the first record that is kept was sent again. */
  get patience(): number {
    return 2 ** Math.min((this.first?.sends ?? 1) - 1, MAX_REPETITIONS);
  }

  /** A session that begins where this one is, by both numbers, with `records` to be sent. */
  renewed(acknowledged: number, received: number, records: readonly Kept[]): ClientSession {
    const session = new ClientSession();
    session.sent = session.acknowledged = acknowledged;
    session.received = received;
    session.continueAt(received + 1);
    session.isHeld = this.isHeld;
    for (const record of records) session.send(record);
    return session;
  }
}

/** What the application gave to be sent. */
export function valuesOf(records: readonly Kept[]): unknown[] {
  return records.flatMap((record) => (record.type === "message" ? [record.value] : []));
}
