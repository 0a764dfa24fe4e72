// Whether the client of a session is still there: how long it may be away, how long its poll stays parked, and how long an
// acknowledgement may be missing. PROTOCOL.md, "Liveness". There is no clock here: times are those of the server's ticks,
// one a second, and each period counts from the first tick that finds it.

import type { TransportKind } from "../transport/transport.ts";
import { type AckProgress, AckTimeout } from "./ack-timeout.ts";
import type { SessionSettings } from "./context.ts";

/** A client that never showed that it has the token is waited for no longer: its connection came to nothing. */
const UNCONFIRMED_MS = 5000;
/** The same for a poll, which always ends: the next one may need several round trips of a slow network to come. */
const UNCONFIRMED_POLL_MS = 20_000;

export class Liveness {
  readonly #settings: SessionSettings;
  readonly #ackTimeout = new AckTimeout();
  #isConfirmed = false;
  /** The first tick that found the session without a carrier; undefined before it, and with a carrier. */
  #awaySince: number | undefined;
  /** The first tick that found the poll parked; undefined before it, and without a poll. */
  #parkedSince: number | undefined;

  constructor(settings: SessionSettings) {
    this.#settings = settings;
  }

  /** True once the client has shown that it has the token. */
  get isConfirmed(): boolean {
    return this.#isConfirmed;
  }

  /** True until the first tick that finds the client away. */
  get hasJustLeft(): boolean {
    return this.#awaySince === undefined;
  }

  confirm(): void {
    this.#isConfirmed = true;
  }

  carrierAttached(): void {
    this.#awaySince = undefined;
    this.#parkedSince = undefined;
    this.#ackTimeout.restart();
  }

  carrierEnded(): void {
    this.#awaySince = undefined;
  }

  carrierDropped(): void {
    this.#ackTimeout.repeat();
  }

  /** The client has posted something: it is there, and may still acknowledge what it was sent. */
  heard(): void {
    this.#awaySince = undefined;
    this.#ackTimeout.defer();
  }

  /** Called with each tick without a carrier. True if the client has been away too long; `kind`: of its last carrier. */
  isClientLost(now: number, kind: TransportKind): boolean {
    this.#awaySince ??= now;
    const { resumeMs } = this.#settings;
    const unconfirmedMs = kind === "poll" ? UNCONFIRMED_POLL_MS : UNCONFIRMED_MS;
    return now - this.#awaySince >= (this.#isConfirmed ? resumeMs : Math.min(resumeMs, unconfirmedMs));
  }

  /** Called with each tick while a poll is parked. True if it is to be answered, with nothing. */
  isParkOver(now: number): boolean {
    this.#parkedSince ??= now;
    return now - this.#parkedSince >= this.#settings.parkMs;
  }

  /** Called with each tick with a carrier. True if it is to be dropped. */
  isAckOverdue(now: number, progress: AckProgress): boolean {
    return this.#ackTimeout.hasExpired(now, this.#settings.heartbeatMs, progress);
  }
}
