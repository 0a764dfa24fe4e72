// Which carrier a connection is on: websocket, stream, poll, by what arrives and not by what seems connected (PROTOCOL.md,
// "Writing a client"). Carriers race until the first `open`; on a lower rung better ones are tried again; a carrier that
// dies is followed by another. It knows nothing of sessions: they only go where it says.

import type { ServerRecord } from "../codec/session-record.ts";
import type { Carrier, CarrierKind, Link } from "./carrier.ts";
import type { CarrierEnd } from "./carrier-end.ts";
import { isOdd, REPLACED } from "./carrier-end.ts";
import type { After } from "./environment.ts";
import {
  ATTEMPT_MS,
  CLIMB_MS,
  GIVEN_MS,
  MANY_FAILURES,
  MAX_CLIMB_MS,
  MAX_SILENCES,
  MIN_BEAT_MS,
  OPEN_MS,
  PATIENCE,
  STABLE_MS,
} from "./limits.ts";

export interface LadderOwner {
  readonly now: () => number;
  readonly after: After;
  /** How long to wait before attempt 1, 2, 3, … */
  readonly delay: (attempt: number) => number;
  start(kind: CarrierKind, told: Told): Carrier;
  /** With an `open`, `carrier` is the current one from now on. */
  onRecord(carrier: Carrier, record: ServerRecord): void;
  /** Something that was sent is not acknowledged. */
  isWaiting(): boolean;
  /** A carrier is over, with `wasOpen` the current one. False: do not look for another. */
  onEnd(kind: CarrierKind, end: CarrierEnd, wasOpen: boolean): boolean;
  /** Each carrier that was tried has failed, or was of no use when it was open; the next attempt is in `delayMs`. */
  onFailure(failures: readonly string[], delayMs: number): void;
  /** The carrier that `stop` has left to finish is over. */
  onFinish(): void;
}

/** The part of a carrier's link that tells the ladder. */
export type Told = Pick<Link, "onStart" | "onAlive" | "onRecord" | "onEnd">;

export interface Ladder {
  /** What carries the session now. */
  readonly current: Carrier | undefined;
  /**
   * True if a request for the session was given up without an answer, which may have reached the server late and taken the
   * session from a carrier of ours; each counts once.
   */
  takeGhost(): boolean;
  /** The current carrier has brought something new, or has carried something to the server. */
  prove(): void;
  /** The server wants the client back after `retryAfterMs`, on a new carrier. */
  again(retryAfterMs: number): void;
  /** The network may be another, or the page has slept: sees at once whether the carrier lives, or looks for one. */
  check(isCertain: boolean): void;
  /**
   * Ends everything; the current carrier after what it has to send, and then `onFinish` is called. True if there is one.
   * `isClosed`: the server has closed the session.
   */
  stop(isClosed?: boolean): boolean;
  /** Ends the current carrier, which is of no use any more. */
  fail(end: CarrierEnd): void;
}

/** Starts at `rungs[rung]`, where the last connection to this server was won. */
export function climb(rungs: readonly CarrierKind[], rung: number, owner: LadderOwner): Ladder {
  const { now, after } = owner;
  let current: Carrier | undefined;
  let ghosts = 0;
  /** So many failures in a row are borne before the rung below is tried: none before anything was open. */
  let patience = 0;
  /** In a row; 1 while the first carrier is looked for. */
  let failures = 1;
  /** Started and without an `open` so far. */
  const racers = new Set<Carrier>();
  let lowest = 0;
  /** Carriers that have failed since the last attempt began, and why. */
  let failed: string[] = [];
  let finishing: Carrier | undefined;
  /** Tells the owner of the current carrier's end, where one beside it may have caused that and is about to follow. */
  let untold: (() => boolean) | undefined;
  let climbs = 0;
  /** WebSockets in a row that were given up for their silence, without a message in between. */
  let silences = 0;
  let openedAt = 0;
  /** The current carrier has carried something. */
  let isProven = false;
  let heardAt = 0;
  let probedAt = 0;
  let heartbeatMs = 0;
  /** Cancels the timer of the race; without a race, that of the next attempt or climb. */
  let cancel = (): void => {};
  let cancelBeat = (): void => {};

  function set(delayMs: number, then: () => void): void {
    cancel();
    cancel = after(delayMs, then);
  }

  function attempt(): void {
    start(rung);
  }

  /** Starts a carrier: of a race, or beside the current one, which it takes the session from if its `open` arrives. */
  function start(at: number): void {
    const isProbe = current;
    lowest = at;
    probedAt = now();
    // Whoever comes last with a token has the session, and ends those before. A proxy that holds a stream back until it has
    // ended would show its `open` then: it would win, and be over, each time.
    if (patience > 0) endRace();
    const carrier = owner.start(rungs[at]!, {
      onStart() {
        if (!racers.has(carrier) || at !== lowest) return;
        if (isProbe) current?.hold(true);
        if (isProbe) set(OPEN_MS, giveUp);
        else if (at === rungs.length - 1) set(ATTEMPT_MS, giveUp);
        else set(OPEN_MS, () => start(at + 1));
      },
      onAlive() {
        if (carrier === current) hear();
      },
      onRecord(record) {
        if (record.type === "open" && racers.delete(carrier)) won(carrier, at, record.heartbeatMs);
        if (carrier !== current) return;
        // What comes late on one that was given up does not say that the next one is faster.
        if (record.type === "message") silences = 0;
        // A poll has an `open` each time.
        owner.onRecord(carrier, record);
      },
      onEnd: (end) => ended(carrier, end),
    });
    racers.add(carrier);
    set(GIVEN_MS, giveUp);
  }

  function giveUp(): void {
    endRace();
    lose({});
  }

  function won(carrier: Carrier, at: number, beatMs: number): void {
    untold = undefined;
    drop();
    current?.end();
    current = carrier;
    rung = at;
    isProven = false;
    patience = PATIENCE;
    hear();
    openedAt = heardAt;
    heartbeatMs = Math.max(beatMs, MIN_BEAT_MS);
    beat();
    climbLater();
  }

  function ended(carrier: Carrier, end: CarrierEnd): void {
    const { kind } = carrier;
    if (carrier === finishing) {
      finishing = undefined;
      owner.onFinish();
    } else if (racers.delete(carrier)) {
      if (end.error === undefined) failed.push(`${kind}: ${end.what}`);
      if (owner.onEnd(kind, end, false)) lose(end);
    } else if (carrier === current) {
      current = undefined;
      cancelBeat();
      const isUseless = !(settle() || isProven);
      if (isUseless && failures >= PATIENCE) rung = (rung + 1) % rungs.length;
      if (end.error === undefined && (isUseless || isOdd(end))) failed.push(`${kind}: ${end.what}`);
      const tell = (): boolean => owner.onEnd(kind, end, true);
      // A carrier that was started beside it may have taken the session, and its `open` is on the way.
      if (racers.size > 0 && end.status === undefined && (end.code ?? REPLACED) === REPLACED) untold = tell;
      else if (tell() && racers.size === 0) again(end);
    }
  }

  /** A racer is over, or all of them. */
  function lose(end: CarrierEnd): void {
    if (current) {
      current.hold(false);
      failed = [];
      // On its own rung the racer was there to see whether it lives. Whatever it said meanwhile says that it does.
      if (lowest === rung && heardAt < probedAt) fail({ what: "silent" });
      else climbLater();
    } else if (racers.size === 0) {
      const tell = untold;
      untold = undefined;
      if (tell?.() === false) return;
      const mayDescend = failures > patience && end.status !== 429 && end.status !== 503;
      if (mayDescend && lowest < rungs.length - 1) start(lowest + 1);
      else again(end);
    }
  }

  function again({ retryAfterMs = 0 }: CarrierEnd): void {
    const reasons = failed.splice(0);
    const delayMs = Math.max(failures > 0 ? owner.delay(failures) : 0, retryAfterMs);
    if (failures++ === MANY_FAILURES) rung = 0;
    set(delayMs, attempt);
    if (reasons.length > 0) owner.onFailure(reasons, delayMs);
  }

  /** True if the carrier did work: it lived for a while, and did not keep what was sent from arriving. */
  function settle(): boolean {
    const isStable = now() - openedAt >= STABLE_MS && (isProven || !owner.isWaiting());
    if (isStable) failures = climbs = 0;
    return isStable;
  }

  function climbLater(): void {
    if (rung === 0) return;
    const delayMs = Math.min(CLIMB_MS * 2 ** climbs, MAX_CLIMB_MS);
    // From the lowest rung both above it are tried in turn.
    const at = climbs % 2 === 0 ? 0 : rung - 1;
    climbs += 1;
    set(delayMs, () => start(at));
  }

  /** Each `heartbeatMs`: a sign of life to the other end, and a look at when there was one from it. */
  function beat(): void {
    cancelBeat = after(heartbeatMs, () => {
      const carrier = current!;
      const isBlind = carrier.kind === "websocket";
      const beats = isBlind ? 2 ** Math.min(silences + 1, MAX_SILENCES) : 2;
      if (now() - heardAt >= beats * heartbeatMs) {
        if (isBlind) silences += 1;
        fail({ what: "silent" });
      } else if (!carrier.beat()) fail({ what: "what is sent does not arrive" });
      else if (carrier === current) beat();
    });
  }

  function hear(): void {
    heardAt = now();
  }

  /** Ends all racers and timers. */
  function drop(): void {
    endRace();
    failed = [];
    cancel();
    cancelBeat();
  }

  function endRace(): void {
    for (const carrier of racers) {
      racers.delete(carrier);
      carrier.end();
      failed.push(`${carrier.kind}: timed out`);
      // What has no token begins a session of its own.
      if (patience > 0) ghosts += 1;
    }
  }

  function stop(isClosed = false): boolean {
    untold = undefined;
    drop();
    finishing = current;
    current = undefined;
    finishing?.finish(isClosed);
    return finishing !== undefined;
  }

  function fail(end: CarrierEnd): void {
    const carrier = current;
    carrier?.end();
    if (carrier) ended(carrier, end);
  }

  attempt();
  return {
    get current() {
      return current;
    },
    takeGhost: () => ghosts > 0 && ghosts-- > 0,
    prove: () => void (isProven = true),
    again(retryAfterMs) {
      settle();
      stop(true);
      finishing = undefined;
      again({ retryAfterMs });
    },
    check(isCertain) {
      const isRacing = racers.size > 0;
      if (!current) {
        if (isRacing && !isCertain) return;
        untold?.();
        untold = undefined;
        drop();
        failures = 1;
        set(0, attempt);
      } else if (!isRacing && (isCertain || now() - heardAt >= heartbeatMs)) attempt();
    },
    stop,
    fail,
  };
}
