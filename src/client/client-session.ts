// The client's end of a session: what is kept of each record, and acknowledgements that can be withheld.

import type { NumberedRecord } from "../codec/session-record.ts";
import { Session } from "../protocol/session.ts";

/** A record that is kept until the server has it. */
export type Kept = NumberedRecord & {
  /** The value that the application gave. */
  readonly value?: unknown;
  /** How often it was written to a carrier. Once is enough for it to have arrived; each time doubles the patience. */
  sends?: number;
  /** Why the platform refused it. */
  refusal?: unknown;
};

/** Repetitions after which the patience does not grow any more: 64 times the first one. */
const MAX_REPETITIONS = 6;

export class ClientSession extends Session<Kept> {
  /** While true, nothing new is acknowledged: the application is behind. */
  isHeld = false;
  #said = 0;

  /** What a request's `after` says. */
  get said(): number {
    return this.isHeld ? this.#said : this.received;
  }

  override get hasAck(): boolean {
    return !this.isHeld && super.hasAck;
  }

  override get isAckDue(): boolean {
    return !this.isHeld && super.isAckDue;
  }

  override takeAck(): number {
    if (!this.isHeld) this.#said = super.takeAck();
    return this.#said;
  }

  /** 1, doubled for each time that the first record that is kept was sent again. */
  get patience(): number {
    const [{ sends = 1 } = {}] = this.after() as readonly Partial<Kept>[];
    return 2 ** Math.min(sends - 1, MAX_REPETITIONS);
  }
}
