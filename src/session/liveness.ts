// Decides when the client of a session is gone: how long it may be away, how long its poll stays parked, and how long an
// acknowledgement may be missing. PROTOCOL.md, "Liveness". It has no clock: it gets the times of the server's ticks, one a
// second, and each period counts from the first tick that finds it.

import type { Session } from "../protocol/session.ts";
import type { TransportKind } from "../transport/transport.ts";
import type { SessionSettings } from "./context.ts";

/** The time for a client that never showed that it has the token: its first connection has probably failed. */
const UNCONFIRMED_MS = 5000;
/** The same time for a poll, which always ends: the next one may need several round trips of a slow network. */
const UNCONFIRMED_POLL_MS = 20_000;
/** The time for a client whose identity has ended: it may have another one, and ask for the last records. */
const EXPIRED_MS = 5000;
/** Factor of the timeout while the carrier is not read: the acknowledgement may be behind unread bytes. */
const PAUSED_FACTOR = 4;
/** Less than this fits into the buffers of a system even if the client is gone: only more shows that the client reads. */
const MIN_PROGRESS_BYTES = 16_384;
/** Each repetition of a record doubles the timeout, this many times at most. */
const MAX_DOUBLINGS = 6;

export interface AckProgress {
  readonly session: Pick<Session, "acknowledged" | "bufferedAmount">;
  /** Bytes that the connection has not taken. */
  readonly unsentBytes: number;
  /** True for a WebSocket: one that is read answers pings, and has no other timeout. */
  readonly answersPings: boolean;
  /** True while the carrier is not read. */
  readonly isPaused: boolean;
}

/** A client without a carrier. */
export interface Absent {
  /** The kind of its last carrier. */
  readonly kind: TransportKind;
  /** True if the session was closed because the identity of the client has ended. */
  readonly isExpired: boolean;
}

/** The progress of acknowledgements, from the first tick on that found something to wait for. */
interface Progress {
  /** The value of `acknowledged` at the last tick that found progress. */
  acknowledged: number;
  /** The tick since which there has been no progress; undefined while no acknowledgement is missing. */
  missingSince: number | undefined;
  /** Bytes that the carrier had not taken at the last tick. */
  unsentBefore: number;
  /** Number of carriers that were dropped while `acknowledged` stayed the same. */
  repetitions: number;
}

export class Liveness {
  readonly #settings: SessionSettings;
  /** True once the client has shown that it has the token. */
  isConfirmed = false;
  /** The first tick that found the session without a carrier; undefined before it, and with a carrier. */
  #awaySince: number | undefined;
  /** The first tick that found the poll parked; undefined before it, and without a poll. */
  #parkedSince: number | undefined;
  /** Undefined while there was nothing to acknowledge at any tick: most sessions are idle. */
  #progress: Progress | undefined;

  constructor(settings: SessionSettings) {
    this.#settings = settings;
  }

  /** True until the first tick that finds the client away. */
  get hasJustLeft(): boolean {
    return this.#awaySince === undefined;
  }

  /** The new carrier begins with a full timeout, and with no bytes. */
  carrierAttached(): void {
    this.heard();
    this.#parkedSince = undefined;
    if (this.#progress !== undefined) this.#progress.unsentBefore = 0;
  }

  carrierEnded(): void {
    this.#awaySince = undefined;
  }

  /** The client did not acknowledge in time: the records of the carrier will be sent again. */
  carrierDropped(): void {
    if (this.#progress !== undefined) this.#progress.repetitions += 1;
  }

  /** The client has posted something, so it is not gone, and may still acknowledge its records. */
  heard(): void {
    this.#awaySince = undefined;
    if (this.#progress !== undefined) this.#progress.missingSince = undefined;
  }

  /** Called with each tick without a carrier. True if the client has been away too long. */
  isClientLost(now: number, { kind, isExpired }: Absent): boolean {
    this.#awaySince ??= now;
    const unconfirmedMs = kind === "poll" ? UNCONFIRMED_POLL_MS : UNCONFIRMED_MS;
    const mostMs = isExpired ? EXPIRED_MS : this.isConfirmed ? Number.POSITIVE_INFINITY : unconfirmedMs;
    return now - this.#awaySince >= Math.min(this.#settings.resumeMs, mostMs);
  }

  /** Called with each tick while a poll is parked. True if it is to be answered, without records. */
  isParkOver(now: number): boolean {
    this.#parkedSince ??= now;
    return now - this.#parkedSince >= this.#settings.parkMs;
  }

  /**
   * Called with each tick with a carrier. True if the carrier is to be dropped: for twice `heartbeatMs` the client has
   * acknowledged nothing and the connection has taken nothing, so the client does not read, or is gone.
   */
  isAckOverdue(now: number, { session, unsentBytes, answersPings, isPaused }: AckProgress): boolean {
    const { acknowledged, bufferedAmount } = session;
    const isMissing = bufferedAmount > 0 && (isPaused || !answersPings);
    if (this.#progress === undefined && !isMissing && unsentBytes === 0) return false;
    this.#progress ??= { acknowledged, missingSince: undefined, unsentBefore: 0, repetitions: 0 };
    const progress = this.#progress;
    const wasTaken = unsentBytes < progress.unsentBefore && progress.unsentBefore >= MIN_PROGRESS_BYTES;
    progress.unsentBefore = unsentBytes;
    if (acknowledged !== progress.acknowledged) progress.repetitions = 0;
    if (isMissing && !wasTaken && acknowledged === progress.acknowledged && progress.missingSince !== undefined) {
      const factor = (isPaused ? PAUSED_FACTOR : 1) * 2 ** Math.min(progress.repetitions, MAX_DOUBLINGS);
      return now - progress.missingSince >= 2 * factor * this.#settings.heartbeatMs;
    }
    progress.acknowledged = acknowledged;
    progress.missingSince = isMissing ? now : undefined;
    return false;
  }
}
