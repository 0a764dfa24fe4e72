// Selects the carrier of a connection (PROTOCOL.md, "Writing a client"). Candidates race until the first `open` arrives;
// beside a less preferred carrier, better ones are tried again; a carrier that dies is followed by another. What counts is
// the arrival of records, not what seems connected. A selector knows nothing of sessions: they follow its current carrier.
// Long because all moves of the table change the same fields: the carrier, its candidates and one timer.

import type { ServerRecord } from "../codec/session-record.ts";
import type { Carrier, CarrierEvents, CarrierKind } from "./carrier.ts";
import { type CarrierEnd, isOdd, REPLACED } from "./carrier-end.ts";
import type { PageEvent, Time } from "./environment.ts";
import {
  ATTEMPT_MS,
  GIVEN_MS,
  MANY_FAILURES,
  MAX_SILENCES,
  MAX_UPGRADE_MS,
  MIN_HEARTBEAT_MS,
  OPEN_MS,
  STABLE_MS,
  TOLERATED_FAILURES,
  UPGRADE_MS,
} from "./limits.ts";

/**
 * waiting    no carrier; the next attempt starts when a timer fires
 * trying     candidates were started, and none of them has brought an `open`
 * open       a carrier has the session
 * probing    a carrier has the session, and a candidate is tried beside it: a better one, or one of its own kind to see
 *            whether the network has changed
 * replaced   the carrier has ended because, it seems, a candidate has taken the session; the candidate's `open` is due
 * finishing  stopped; the last carrier sends what is left
 * ended      stopped; nothing runs any more
 */
type State = "waiting" | "trying" | "open" | "probing" | "replaced" | "finishing" | "ended";

/** Every legal move. Others are not made: callbacks of the owner may stop the selector in the middle of one. */
const MOVES: Readonly<Record<State, readonly State[]>> = {
  waiting: ["waiting", "trying", "ended"],
  trying: ["trying", "waiting", "open", "ended"],
  open: ["probing", "waiting", "finishing"],
  probing: ["open", "replaced", "trying", "waiting", "finishing"],
  replaced: ["open", "trying", "waiting", "ended"],
  finishing: ["ended"],
  ended: [],
};

export interface SelectorOwner extends Time {
  start(kind: CarrierKind, events: CarrierEvents): Carrier;
  /** Called for each record of the current carrier. An `open` makes `carrier` the current one, if it was not. */
  onRecord(carrier: Carrier, record: ServerRecord): void;
  /** Returns true while something that was sent is not acknowledged. */
  hasUnacknowledged(): boolean;
  /** Called when a carrier or candidate is over. If the owner stops the selector here, no other one is started. */
  onEnd(carrier: Carrier, end: CarrierEnd): void;
  /** Called when every carrier that was tried has failed, or was of no use. The next attempt starts in `delayMs`. */
  onFailure(failures: readonly string[], delayMs: number): void;
  /** Called when the carrier that `stop` left to finish is over. */
  onFinish(): void;
}

export class CarrierSelector {
  readonly #kinds: readonly CarrierKind[];
  readonly #owner: SelectorOwner;
  #state: State = "waiting";
  /** The carrier that has the session, or the one that finishes. */
  #carrier: Carrier | undefined;
  /** Index in `#kinds` of the current carrier, or of the one that the next attempt begins with. */
  #preference: number;
  /** Carriers that were started and have not brought an `open`. */
  readonly #candidates: Set<Carrier> = new Set();
  /** Index in `#kinds` of the candidate that was started last. */
  #candidatePreference = 0;
  #candidateStartedAt = 0;
  /** The ends of the candidates since the last attempt began. */
  #failures: string[] = [];
  /** Attempts since a carrier has worked, the present one included. */
  #attempts = 1;
  /** True from the first `open` on: requests have a token, so each takes the session from the one before. */
  #hasOpened = false;
  /** Requests with a token that were given up without an answer. */
  #abandoned = 0;
  /** In the state `replaced`: the end of the carrier, which the owner learns if the candidate fails. */
  #replacedEnd: CarrierEnd | undefined;
  #upgrades = 0;
  /** WebSockets in a row that were given up for their silence, without a message in between. */
  #silences = 0;
  #openedAt = 0;
  /** True if the current carrier has brought something new, or has carried something to the server. */
  #isProven = false;
  #heardAt = 0;
  #heartbeatMs = 0;
  /** Cancels the timer of the candidate, of the next attempt, or of the next upgrade. */
  #cancelTimer = (): void => {};
  #cancelHeartbeat = (): void => {};

  /** `preference`: the index of the kind to begin with. */
  constructor(kinds: readonly CarrierKind[], preference: number, owner: SelectorOwner) {
    this.#kinds = kinds;
    this.#preference = preference;
    this.#owner = owner;
    this.#try(preference);
  }

  /** The carrier that has the session; undefined while none has. */
  get current(): Carrier | undefined {
    return this.#state === "open" || this.#state === "probing" ? this.#carrier : undefined;
  }

  /**
   * Returns true if a request for the session was given up without an answer: it may have reached the server late, and
   * have taken the session from a carrier of ours. Each such request counts once.
   */
  takeAbandoned(): boolean {
    return this.#abandoned > 0 && this.#abandoned-- > 0;
  }

  /** The current carrier has brought something new, or has carried something to the server. */
  prove(): void {
    this.#isProven = true;
  }

  /** Leaves the current carrier, which the server has closed, and looks for another after `retryAfterMs`. */
  restart(retryAfterMs: number): void {
    const { current } = this;
    this.#noteWork();
    this.#clear();
    this.#move("waiting");
    current?.finish("server");
    this.#retry({ retryAfterMs });
  }

  /** The network has changed, or the page may have slept: checks at once that the current carrier lives, or starts one. */
  check(event: PageEvent): void {
    const isTrying = this.#candidates.size > 0;
    const hasChanged = event !== "awake";
    if (this.current) {
      if (!isTrying && (hasChanged || this.#silenceMs() >= this.#heartbeatMs)) this.#try(this.#preference);
    } else if (!isTrying || hasChanged) {
      this.#reportReplaced();
      this.#clear();
      this.#attempts = 1;
      this.#wait(0);
    } else {
      // A browser ends the attempts of a page that it freezes: if this one fails, the next does not wait.
      this.#attempts = 0;
    }
  }

  /**
   * Ends everything; the current carrier after it has sent what is left, and then `onFinish` is called. Returns true if
   * there is one.
   *
   * @param by who has closed the session
   */
  stop(by: "client" | "server" = "client"): boolean {
    const { current } = this;
    this.#clear();
    this.#move(current ? "finishing" : "ended");
    current?.finish(by);
    return current !== undefined;
  }

  /** Ends the current carrier, which is of no use any more. */
  fail(end: CarrierEnd): void {
    const carrier = this.current;
    carrier?.end();
    if (carrier) this.#onEnd(carrier, end);
  }

  #move(state: State): boolean {
    const isLegal = MOVES[this.#state].includes(state);
    if (isLegal) this.#state = state;
    return isLegal;
  }

  /** Starts a candidate; beside the current carrier, it takes the session over when its `open` arrives. */
  #try(preference: number): void {
    if (!this.#move(this.current ? "probing" : "trying")) return;
    this.#candidatePreference = preference;
    this.#candidateStartedAt = this.#owner.now();
    // The last request with a token gets the session and ends those before it. If several were under way, a proxy that holds
    // a stream back until its end would deliver the `open` of a stream that is over already, and that stream would win.
    if (this.#hasOpened) this.#endCandidates();
    const giveUp = (): void => {
      this.#endCandidates();
      this.#candidateFailed({});
    };
    const carrier = this.#owner.start(this.#kinds[preference]!, {
      onStart: () => {
        if (!this.#candidates.has(carrier) || preference !== this.#candidatePreference) return;
        const { current } = this;
        current?.hold?.();
        const isLast = preference === this.#kinds.length - 1;
        if (!current && !isLast) this.#setTimer(OPEN_MS, () => this.#try(preference + 1));
        else this.#setTimer(current ? OPEN_MS : ATTEMPT_MS, giveUp);
      },
      onAlive: () => {
        if (carrier === this.current) this.#hear();
      },
      onRecord: (record) => {
        if (record.type === "open" && this.#candidates.delete(carrier)) {
          this.#select(carrier, preference, record.heartbeatMs);
        }
        if (carrier !== this.current) return;
        // A message that arrives late, on a WebSocket that was given up, does not make the next WebSocket any faster.
        if (record.type === "message") this.#silences = 0;
        this.#owner.onRecord(carrier, record);
      },
      onEnd: (end) => this.#onEnd(carrier, end),
    });
    this.#candidates.add(carrier);
    this.#setTimer(GIVEN_MS, giveUp);
  }

  #select(carrier: Carrier, preference: number, heartbeatMs: number): void {
    this.#clear();
    this.current?.end();
    this.#move("open");
    this.#carrier = carrier;
    this.#preference = preference;
    this.#isProven = false;
    this.#hasOpened = true;
    this.#hear();
    this.#openedAt = this.#heardAt;
    this.#heartbeatMs = Math.max(heartbeatMs, MIN_HEARTBEAT_MS);
    this.#scheduleHeartbeat();
    this.#upgradeLater();
  }

  #onEnd(carrier: Carrier, end: CarrierEnd): void {
    const failure = `${carrier.kind}: ${end.what}`;
    const isTrying = this.#candidates.size > 0;
    if (carrier === this.current) {
      this.#cancelHeartbeat();
      const isUseless = !(this.#noteWork() || this.#isProven);
      if (isUseless && this.#attempts >= TOLERATED_FAILURES) {
        this.#preference = (this.#preference + 1) % this.#kinds.length;
      }
      if (end.error === undefined && (isUseless || isOdd(end))) this.#failures.push(failure);
      if (isTrying && end.status === undefined && (end.code ?? REPLACED) === REPLACED) {
        this.#move("replaced");
        this.#replacedEnd = end;
        return;
      }
      this.#move(isTrying ? "trying" : "waiting");
      this.#owner.onEnd(carrier, end);
      if (this.#state === "waiting") this.#retry(end);
    } else if (this.#candidates.delete(carrier)) {
      if (end.error === undefined) this.#failures.push(failure);
      this.#owner.onEnd(carrier, end);
      this.#candidateFailed(end);
    } else if (carrier === this.#carrier && this.#state === "finishing") {
      this.#move("ended");
      this.#owner.onFinish();
    }
  }

  /** A candidate is over, or all of them. */
  #candidateFailed(end: CarrierEnd): void {
    const { current } = this;
    if (current) {
      this.#move("open");
      current.release?.();
      this.#failures = [];
      // A candidate of the same kind was to show whether the current carrier lives. Anything heard since then shows it too.
      const isSilent = this.#candidatePreference === this.#preference && this.#heardAt < this.#candidateStartedAt;
      if (isSilent) this.fail({ what: "silent" });
      else this.#upgradeLater();
    } else if (this.#candidates.size === 0) {
      this.#reportReplaced();
      if (this.#state !== "waiting" && this.#state !== "trying") return;
      const isRefused = end.status === 429 || end.status === 503;
      const mayDescend = !isRefused && this.#attempts > (this.#hasOpened ? TOLERATED_FAILURES : 0);
      const next = this.#candidatePreference + 1;
      if (mayDescend && next < this.#kinds.length) this.#try(next);
      else this.#retry(end);
    }
  }

  /** The candidate that seemed to have taken the session did not get it: tells the end of the carrier. */
  #reportReplaced(): void {
    if (this.#state !== "replaced") return;
    this.#move("waiting");
    this.#owner.onEnd(this.#carrier!, this.#replacedEnd!);
  }

  #retry({ retryAfterMs = 0 }: CarrierEnd): void {
    const failures = this.#failures.splice(0);
    const delayMs = Math.max(this.#attempts > 0 ? this.#owner.delay(this.#attempts) : 0, retryAfterMs);
    if (this.#attempts++ === MANY_FAILURES) this.#preference = 0;
    this.#wait(delayMs);
    if (failures.length > 0) this.#owner.onFailure(failures, delayMs);
  }

  #wait(delayMs: number): void {
    if (this.#move("waiting")) this.#setTimer(delayMs, () => this.#try(this.#preference));
  }

  /** Returns true if the carrier has worked: it lived for a while, and what was sent on it arrived. */
  #noteWork(): boolean {
    const isStable = this.#owner.now() - this.#openedAt >= STABLE_MS;
    const hasWorked = isStable && (this.#isProven || !this.#owner.hasUnacknowledged());
    if (hasWorked) this.#attempts = this.#upgrades = 0;
    return hasWorked;
  }

  #upgradeLater(): void {
    if (this.#preference === 0) return;
    // From the least preferred kind, both better ones are tried in turn.
    const preference = this.#upgrades % 2 === 0 ? 0 : this.#preference - 1;
    const delayMs = Math.min(UPGRADE_MS * 2 ** this.#upgrades++, MAX_UPGRADE_MS);
    this.#setTimer(delayMs, () => this.#try(preference));
  }

  /** Each `heartbeatMs`: sends a sign of life, and checks when the last one has come. */
  #scheduleHeartbeat(): void {
    this.#cancelHeartbeat = this.#owner.after(this.#heartbeatMs, () => {
      const carrier = this.#carrier!;
      const isWebSocket = carrier.kind === "websocket";
      const tolerated = isWebSocket ? 2 ** Math.min(this.#silences + 1, MAX_SILENCES) : 2;
      if (this.#silenceMs() >= tolerated * this.#heartbeatMs) {
        if (isWebSocket) this.#silences += 1;
        this.fail({ what: "silent" });
      } else if (!carrier.heartbeat()) this.fail({ what: "what is sent does not arrive" });
      else if (carrier === this.current) this.#scheduleHeartbeat();
    });
  }

  #hear(): void {
    this.#heardAt = this.#owner.now();
  }

  #silenceMs(): number {
    return this.#owner.now() - this.#heardAt;
  }

  #setTimer(delayMs: number, fn: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#owner.after(delayMs, fn);
  }

  /** Ends all candidates and timers. */
  #clear(): void {
    this.#endCandidates();
    this.#failures = [];
    this.#cancelTimer();
    this.#cancelHeartbeat();
  }

  #endCandidates(): void {
    for (const carrier of this.#candidates) {
      this.#candidates.delete(carrier);
      carrier.end();
      this.#failures.push(`${carrier.kind}: timed out`);
      // A request without a token begins a session of its own.
      if (this.#hasOpened) this.#abandoned += 1;
    }
  }
}
