// The state of one connection. The functions that change it are in files by subject: `taking-up.ts` (carriers get the
// session), `sending.ts`, `receiving.ts` and `ending.ts`.

import type { Carrier } from "./carrier.ts";
import type { CarrierSelector } from "./carrier-selector.ts";
import type { ClientSession, KeptRecord } from "./client-session.ts";
import type { Drains } from "./drains.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Time } from "./environment.ts";
import type { Events } from "./events.ts";
import type { AnyCodec } from "./messages.ts";

export interface Conversation extends Time {
  readonly endpoint: Endpoint;
  readonly session: ClientSession;
  readonly selector: CarrierSelector;
  readonly events: Events;
  /** The promise that `drained` returns. */
  readonly drains: Drains;
  readonly codec: AnyCodec | undefined;
  /** Prints a line of the option `debug`. */
  readonly log: (line: string) => void;
  /** The `try` of the last request for the session. */
  tries: number;
  /** The carrier that has the session, or had it last. */
  carrier?: Carrier;
  /** The time at which the session began. */
  begunAt: number;
  /** Consecutive sessions that were lost soon after they had begun. */
  losses: number;
  /** The record that `send` is writing. */
  sending?: KeptRecord | undefined;
  /** Size of the message that is being delivered. */
  size: number;
  /**
   * Set while an acknowledgement is delayed, so that it covers more records; once the connection is closed: while earlier
   * messages wait for a carrier. Cancels either.
   */
  cancelTimer?: (() => void) | undefined;
  /** Set while the identity has an end: cancels its renewal. */
  cancelRenewal?: (() => void) | undefined;
}
