// Selects the carrier of a connection (PROTOCOL.md, "Writing a client"). Candidates race until the first `open` arrives;
// beside a less preferred carrier, better ones are tried again; a carrier that dies is followed by another. A carrier
// counts by the records that arrive, not by its connection. Sessions follow the current carrier; a selector does not use them.
// Long because all moves of the table change the same fields: the carrier, its candidates and one timer.

import type { ServerRecord } from "../codec/session-record.ts";
import type { Carrier, CarrierEvents, CarrierKind } from "./carrier.ts";
import { type CarrierEnd, isOdd, REPLACED } from "./carrier-end.ts";
import type { ClientSession } from "./client-session.ts";
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
 * probing    a carrier has the session, and a candidate is tried beside it: see `Purpose`
 * replaced   the carrier has ended because, it seems, a candidate has taken the session; the candidate's `open` is due
 * finishing  stopped; the last carrier sends the remaining records
 * ended      stopped; nothing runs any more
 */
type State = "waiting" | "trying" | "open" | "probing" | "replaced" | "finishing" | "ended";

/**
 * connect  there is no carrier
 * upgrade  a better kind may work by now
 * check    to see by one of its own kind whether the network has changed, and the carrier still lives
 * renew    the identity of the client is about to end: a request has another one
 */
type Purpose = "connect" | "upgrade" | "check" | "renew";

/** Every legal move. Others are not made: callbacks of the owner may stop the selector in the middle of one. */
const MOVES: Readonly<Record<State, readonly State[]>> = {
  waiting: ["waiting", "trying", "ended"],
  trying: ["trying", "waiting", "open", "ended"],
  open: ["probing", "waiting", "finishing"],
  probing: ["probing", "open", "replaced", "trying", "waiting", "finishing"],
  replaced: ["open", "trying", "waiting", "ended"],
  finishing: ["ended"],
  ended: [],
};

export interface SelectorOwner extends Time {
  start(kind: CarrierKind, events: CarrierEvents): Carrier;
  /** Called for each record of the current carrier. An `open` makes `carrier` the current one, if it was not. */
  onRecord(carrier: Carrier, record: ServerRecord): void;
  /** Its `bufferedAmount` tells whether sent records are not acknowledged. */
  readonly session: Pick<ClientSession, "bufferedAmount">;
  /** Called when a carrier or candidate is over. If the owner stops the selector here, no other one is started. */
  onEnd(carrier: Carrier, end: CarrierEnd): void;
  /** Called when every carrier that was tried has failed, or carried nothing. The next attempt starts in `delayMs`. */
  onFailure(failures: readonly string[], delayMs: number): void;
  /** Called when the carrier that finishes after `stop` is over. */
  onFinish(): void;
}

export interface CarrierSelector {
  /** The carrier that has the session; undefined while none has. */
  readonly current: Carrier | undefined;
  /** Starts the first candidate. Called once. */
  begin(): void;
  /**
   * Returns true if a request for the session was given up without an answer: it may have reached the server late, and
   * have taken the session from a carrier of this client. Each such request counts once.
   */
  takeAbandoned(): boolean;
  /** The current carrier has proved to work: a new record has arrived, or an acknowledgement. */
  prove(): void;
  /** Leaves the current carrier, which the server has closed, and looks for another after `retryAfterMs`. */
  restart(retryAfterMs: number): void;
  /** The network has changed, or the page may have slept: checks at once that the current carrier lives, or starts one. */
  check(event: PageEvent): void;
  /** Replaces the current carrier by another of its kind, whose request asks the application for its headers and params again. */
  renew(): void;
  /**
   * Ends all carriers; the current one first sends the remaining records, and then `onFinish` is called. Returns true if there
   * is a current one.
   *
   * @param by the end that has closed the session
   */
  stop(by?: "client" | "server"): boolean;
  /** Ends the current carrier, which does not work any more. */
  fail(end: CarrierEnd): void;
}

/** The kind that was selected last, by origin and permitted kinds. Kept for the life of the page. */
const selectedKinds = new Map<string, CarrierKind>();

/** `origin`: the server's; the first attempt is of the kind that was selected last for it. */
export function selectCarriers(kinds: readonly CarrierKind[], origin: string, owner: SelectorOwner): CarrierSelector {
  const selectionKey = `${origin} ${kinds}`;
  /** Index in `kinds` of the current carrier, or of the first kind of the next attempt. */
  let preferred = Math.max(kinds.indexOf(selectedKinds.get(selectionKey)!), 0);
  let state: State = "waiting";
  /** The carrier that has the session, or the one that finishes. */
  let selected: Carrier | undefined;
  /** Carriers that were started and have not brought an `open`. */
  const candidates: Set<Carrier> = new Set();
  /** Index in `kinds` of the candidate that was started last. */
  let candidatePreference = 0;
  let candidatePurpose: Purpose = "connect";
  let candidateStartedAt = 0;
  /** The ends of the candidates since the last attempt began. */
  let failures: string[] = [];
  /** Attempts since a carrier has worked, the present one included. */
  let attempts = 1;
  /** True from the first `open` on: requests have a token, so each takes the session from the one before. */
  let hasOpened = false;
  /** Requests with a token that were given up without an answer. */
  let abandoned = 0;
  /** In the state `replaced`: the end of the carrier, which the owner learns if the candidate fails. */
  let replacedEnd: CarrierEnd | undefined;
  let upgrades = 0;
  let upgradeAt = 0;
  /** Consecutive WebSockets that were given up because they were silent, without a message in between. */
  let silences = 0;
  let openedAt = 0;
  /** True if the current carrier has proved to work: see `prove`. */
  let isProven = false;
  let heardAt = 0;
  let heartbeatMs = 0;
  /** Cancels the timer of the candidate, of the next attempt, or of the next upgrade. */
  let cancelTimer = (): void => {};
  let cancelHeartbeat = (): void => {};

  function currentCarrier(): Carrier | undefined {
    return state === "open" || state === "probing" ? selected : undefined;
  }

  function fail(end: CarrierEnd): void {
    const carrier = currentCarrier();
    if (carrier) onEnd(carrier, end);
  }

  function move(next: State): boolean {
    const isLegal = MOVES[state].includes(next);
    if (isLegal) state = next;
    return isLegal;
  }

  /** Starts a candidate; beside the current carrier, it takes the session over when its `open` arrives. */
  function attempt(preference: number, purpose: Purpose = "connect"): void {
    if (!move(currentCarrier() ? "probing" : "trying")) return;
    candidatePreference = preference;
    candidatePurpose = purpose;
    candidateStartedAt = owner.now();
    // The last request with a token gets the session and ends those before it. If several were under way, a proxy that holds
    // a stream back until its end could deliver the `open` of a stream that is over already, and that stream would be chosen.
    if (hasOpened) endCandidates();
    const giveUp = (): void => {
      endCandidates();
      candidateFailed({});
    };
    const carrier = owner.start(kinds[preference]!, {
      onStart: () => {
        if (!candidates.has(carrier) || preference !== candidatePreference) return;
        const current = currentCarrier();
        current?.hold?.();
        const isLast = preference === kinds.length - 1;
        if (!current && !isLast) setTimer(OPEN_MS, () => attempt(preference + 1));
        else setTimer(current && purpose !== "renew" ? OPEN_MS : ATTEMPT_MS, giveUp);
      },
      onAlive: () => {
        if (carrier === currentCarrier()) hear();
      },
      onRecord: (record) => {
        if (record.type === "open" && candidates.delete(carrier)) {
          select(carrier, preference, record.heartbeatMs);
        }
        if (carrier !== currentCarrier()) return;
        // A message that arrives late, on a WebSocket that was given up, does not make the next WebSocket any faster.
        if (record.type === "message") silences = 0;
        owner.onRecord(carrier, record);
      },
      onEnd: (end) => onEnd(carrier, end),
    });
    candidates.add(carrier);
    setTimer(GIVEN_MS, giveUp);
  }

  function select(carrier: Carrier, preference: number, askedMs: number): void {
    clear();
    currentCarrier()?.end();
    move("open");
    selected = carrier;
    preferred = preference;
    selectedKinds.set(selectionKey, carrier.kind);
    isProven = false;
    hasOpened = true;
    hear();
    openedAt = heardAt;
    heartbeatMs = Math.max(askedMs, MIN_HEARTBEAT_MS);
    scheduleHeartbeat();
    upgradeLater();
  }

  function onEnd(carrier: Carrier, end: CarrierEnd): void {
    carrier.end();
    const failure = `${carrier.kind}: ${end.what}`;
    const isTrying = candidates.size > 0;
    if (carrier === currentCarrier()) {
      cancelHeartbeat();
      const isUseless = !(noteWork() || isProven);
      if (isUseless && attempts >= TOLERATED_FAILURES) {
        preferred = (preferred + 1) % kinds.length;
      }
      if (end.error === undefined && (isUseless || isOdd(end))) failures.push(failure);
      // A parked poll is answered with 409, PROTOCOL.md, "Resuming a session", 2.
      if (isTrying && (end.status ?? 409) === 409 && (end.code ?? REPLACED) === REPLACED) {
        move("replaced");
        replacedEnd = end;
        return;
      }
      move(isTrying ? "trying" : "waiting");
      owner.onEnd(carrier, end);
      if (state === "waiting") retry(end);
    } else if (candidates.delete(carrier)) {
      if (end.error === undefined) failures.push(failure);
      owner.onEnd(carrier, end);
      candidateFailed(end);
    } else if (carrier === selected && state === "finishing") {
      move("ended");
      owner.onFinish();
    }
  }

  /** A candidate is over, or all of them. */
  function candidateFailed(end: CarrierEnd): void {
    const current = currentCarrier();
    if (current) {
      move("open");
      current.release?.();
      failures = [];
      // A candidate of the same kind was to show whether the current carrier lives. Anything heard since then shows it too.
      const isSilent = candidatePurpose === "check" && heardAt < candidateStartedAt;
      if (isSilent) fail({ what: "silent" });
      else upgradeLater();
    } else if (candidates.size === 0) {
      reportReplaced();
      if (state !== "waiting" && state !== "trying") return;
      const isRefused = end.status === 429 || end.status === 503;
      const mayDescend = !isRefused && attempts > (hasOpened ? TOLERATED_FAILURES : 0);
      const next = candidatePreference + 1;
      if (mayDescend && next < kinds.length) attempt(next);
      else retry(end);
    }
  }

  /** The candidate that seemed to have taken the session did not get it: tells the end of the carrier. */
  function reportReplaced(): void {
    if (state !== "replaced") return;
    move("waiting");
    owner.onEnd(selected!, replacedEnd!);
  }

  function retry({ retryAfterMs = 0 }: CarrierEnd): void {
    const tried = failures.splice(0);
    const delayMs = Math.max(attempts > 0 ? owner.delay(attempts) : 0, retryAfterMs);
    if (attempts++ === MANY_FAILURES) preferred = 0;
    wait(delayMs);
    if (tried.length > 0) owner.onFailure(tried, delayMs);
  }

  function wait(delayMs: number): void {
    if (move("waiting")) setTimer(delayMs, () => attempt(preferred));
  }

  /** Returns true if the carrier has worked: it lived for a while, and the records that were sent on it arrived. */
  function noteWork(): boolean {
    const isStable = owner.now() - openedAt >= STABLE_MS;
    const hasWorked = isStable && (isProven || owner.session.bufferedAmount === 0);
    if (hasWorked) attempts = 0;
    if (hasWorked && candidatePurpose !== "renew") upgrades = 0;
    return hasWorked;
  }

  function upgradeLater(): void {
    const isRenewal = candidatePurpose === "renew";
    candidatePurpose = "connect";
    if (preferred === 0) return;
    // Renewals, which may be frequent, neither put an upgrade off nor bring it forward.
    if (!isRenewal) upgradeAt = owner.now() + Math.min(UPGRADE_MS * 2 ** upgrades++, MAX_UPGRADE_MS);
    // From the least preferred kind, both better ones are tried in turn.
    setTimer(Math.max(upgradeAt - owner.now(), 0), () => attempt(upgrades % 2 ? 0 : preferred - 1, "upgrade"));
  }

  /** Each `heartbeatMs`: sends a sign of life, and checks when the last one has come. */
  function scheduleHeartbeat(): void {
    cancelHeartbeat = owner.after(heartbeatMs, () => {
      const carrier = selected!;
      const isWebSocket = carrier.kind === "websocket";
      const tolerated = isWebSocket ? 2 ** Math.min(silences + 1, MAX_SILENCES) : 2;
      if (silenceMs() >= tolerated * heartbeatMs) {
        if (isWebSocket) silences += 1;
        fail({ what: "silent" });
      } else if (!carrier.heartbeat()) fail({ what: "sent bytes do not arrive" });
      else if (carrier === currentCarrier()) scheduleHeartbeat();
    });
  }

  function hear(): void {
    heardAt = owner.now();
  }

  function silenceMs(): number {
    return owner.now() - heardAt;
  }

  function setTimer(delayMs: number, fn: () => void): void {
    cancelTimer();
    cancelTimer = owner.after(delayMs, fn);
  }

  /** Ends all candidates and timers. */
  function clear(): void {
    endCandidates();
    failures = [];
    cancelTimer();
    cancelHeartbeat();
  }

  function endCandidates(): void {
    for (const carrier of candidates) {
      candidates.delete(carrier);
      carrier.end();
      failures.push(`${carrier.kind}: timed out`);
      // A request without a token begins a session of its own.
      if (hasOpened) abandoned += 1;
    }
  }

  return {
    get current() {
      return currentCarrier();
    },
    begin: () => attempt(preferred),
    takeAbandoned: () => abandoned > 0 && abandoned-- > 0,
    prove() {
      isProven = true;
    },
    restart(retryAfterMs) {
      const current = currentCarrier();
      noteWork();
      clear();
      move("waiting");
      current?.finish("server");
      retry({ retryAfterMs });
    },
    check(event) {
      const isTrying = candidates.size > 0;
      const hasChanged = event !== "awake";
      if (currentCarrier()) {
        if (!isTrying && (hasChanged || silenceMs() >= heartbeatMs)) attempt(preferred, "check");
      } else if (!isTrying || hasChanged) {
        reportReplaced();
        clear();
        attempts = 1;
        wait(0);
      } else {
        // A browser ends the attempts of a page that it freezes: if this one fails, the next does not wait.
        attempts = 0;
      }
    },
    renew() {
      if (currentCarrier()) attempt(preferred, "renew");
    },
    stop(by = "client") {
      const current = currentCarrier();
      clear();
      move(current ? "finishing" : "ended");
      current?.finish(by);
      return current !== undefined;
    },
    fail,
  };
}
