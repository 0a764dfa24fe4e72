// Which carrier a connection is on: websocket, stream, poll, by what arrives and not by what seems connected (PROTOCOL.md,
// "Writing a client"). Carriers race until the first `open`; on a lower rung better ones are tried again; a carrier that
// dies is followed by another. It knows nothing of sessions: they only go where it says.
// Long because it is one state machine: racing, probing, climbing and beating share their timers.

import type { Clock, Timer } from "../base/clock.ts";
import type { ServerRecord } from "../codec/session-record.ts";
import type { Carrier, CarrierEnd, CarrierKind, CarrierListener } from "./carrier.ts";
import type { Environment } from "./environment.ts";

/** PROTOCOL.md, "Taking up": another carrier has the session. */
const REPLACED = 4409;

/** Silence after which the next rung is started beside. */
const OPEN_MS = 2500;
/** How long the last rung may take, behind a slow network. */
const ATTEMPT_MS = 10_000;
const CLIMB_MS = 30_000;
const MAX_CLIMB_MS = 1_920_000;
/** A carrier that lived shorter did not work: the next one waits. */
const STABLE_MS = 5000;
/** After so many failures in a row, what fails is followed by the rung below at once. */
const PATIENCE = 2;
/** After so many, attempts begin at the top: what worked here may not be what works there. */
const MANY_FAILURES = 4;
/** A server may say less, but gets no more beats. */
const MIN_BEAT_MS = 10;
/** How long the application's own `params` and `headers` may take. */
const GIVEN_MS = 60_000;
/** A WebSocket does not tell that a part of a message has come: each silence doubles the patience, up to 64 beats. */
const MAX_SILENCES = 6;

export interface BackoffOptions {
  /** @default 500 */
  readonly firstMs?: number | undefined;
  /** @default 30_000 */
  readonly capMs?: number | undefined;
}

export interface LadderOwner {
  start(kind: CarrierKind, listener: CarrierListener): Carrier;
  /** With an `open`, `carrier` is the current one from now on. */
  onRecord(carrier: Carrier, record: ServerRecord): void;
  /** A carrier is over, with `wasOpen` the current one. False: do not look for another. */
  onEnd(kind: CarrierKind, end: CarrierEnd, wasOpen: boolean): boolean;
  /** Each carrier that was tried has failed; the next attempt is in `delayMs`. */
  onFailure(failures: readonly string[], delayMs: number): void;
  /** The carrier that `stop` has left to finish is over. */
  onFinish(): void;
}

export class Ladder {
  /** What carries the session now. */
  current: Carrier | undefined;
  /**
   * Requests for the session that were given up without an answer. Each may still reach the server, later, and take the
   * session from a carrier of ours.
   */
  ghosts = 0;
  readonly #rungs: readonly CarrierKind[];
  readonly #owner: LadderOwner;
  readonly #clock: Clock;
  readonly #delay: (attempt: number) => number;
  /** Where attempts begin: where the last one was won. */
  #rung: number;
  /** So many failures in a row are borne before the rung below is tried: none before anything was open. */
  #patience = 0;
  /** In a row; 1 while the first carrier is looked for. */
  #failures = 1;
  /** Started and without an `open` so far. */
  readonly #racers = new Set<Carrier>();
  #lowest = 0;
  /** Carriers that have failed since the last attempt began, and why. */
  #failed: string[] = [];
  #finishing: Carrier | undefined;
  /** Tells the owner of the current carrier's end, where one beside it may have caused that and is about to follow. */
  #untold: (() => boolean) | undefined;
  #climbs = 0;
  /** WebSockets in a row that were given up for their silence, without a message in between. */
  #silences = 0;
  #openedAt = 0;
  #heardAt = 0;
  /** Beats since something was heard: a clock that is set back does not hide silence. */
  #quietBeats = 0;
  #probedAt = 0;
  #heartbeatMs = 0;
  /** Of the race; without one, until the next attempt or climb. */
  #timer: Timer | undefined;
  #beatTimer: Timer | undefined;

  constructor(
    rungs: readonly CarrierKind[],
    rung: number,
    clock: Clock,
    delay: (attempt: number) => number,
    owner: LadderOwner,
  ) {
    this.#rungs = rungs;
    this.#rung = rung;
    this.#clock = clock;
    this.#delay = delay;
    this.#owner = owner;
    this.#attempt();
  }

  /** The server wants the client back after `retryAfterMs`, on a new carrier. */
  again(end: CarrierEnd): void {
    this.#settle();
    this.stop(true);
    this.#finishing = undefined;
    this.#again(end);
  }

  /** The network may be another, or the page has slept: sees at once whether the carrier lives, or looks for one. */
  check(isCertain: boolean): void {
    const isRacing = this.#racers.size > 0;
    if (this.current === undefined) {
      if (isRacing && !isCertain) return;
      this.#untold?.();
      this.#untold = undefined;
      this.#drop();
      this.#failures = 1;
      this.#set(0, () => this.#attempt());
    } else if (!isRacing && (isCertain || this.#since(this.#heardAt) >= this.#heartbeatMs)) {
      this.#start(this.#rung);
    }
  }

  /**
   * Ends everything; the current carrier after what it has to send, and then `onFinish` is called. True if there is one.
   * `isClosed`: the server has closed the session.
   */
  stop(isClosed = false): boolean {
    this.#untold = undefined;
    this.#drop();
    this.#finishing = this.current;
    this.current = undefined;
    this.#finishing?.finish(isClosed);
    return this.#finishing !== undefined;
  }

  /** Ends the current carrier, which is of no use any more. */
  fail(end: CarrierEnd): void {
    const { current } = this;
    current?.end();
    if (current !== undefined) this.#onEnd(current, end);
  }

  #attempt(): void {
    this.#start(this.#rung);
  }

  /** Starts a carrier: of a race, or beside the current one, which it takes the session from if its `open` arrives. */
  #start(rung: number): void {
    const isProbe = this.current !== undefined;
    const isLast = rung === this.#rungs.length - 1;
    this.#lowest = rung;
    this.#probedAt = this.#clock.now();
    // Whoever comes last with a token has the session, and ends those before. A proxy that holds a stream back until it has
    // ended would show its `open` then: it would win, and be over, each time.
    if (this.#patience > 0) this.#endRace();
    const carrier: Carrier = this.#owner.start(this.#rungs[rung]!, {
      clock: this.#clock,
      delay: this.#delay,
      onStart: () => {
        if (!this.#racers.has(carrier) || rung !== this.#lowest) return;
        if (isProbe) this.current?.hold(true);
        if (isProbe || isLast) this.#set(isProbe ? OPEN_MS : ATTEMPT_MS, () => this.#giveUp());
        else this.#set(OPEN_MS, () => this.#start(rung + 1));
      },
      onAlive: () => {
        if (carrier === this.current) this.#hear();
      },
      onRecord: (record) => {
        if (record.type === "open" && this.#racers.delete(carrier)) this.#won(carrier, rung, record.heartbeatMs);
        if (carrier !== this.current) return;
        // What comes late on one that was given up does not say that the next one is faster.
        if (record.type === "message") this.#silences = 0;
        // A poll has an `open` each time.
        this.#owner.onRecord(carrier, record);
      },
      onEnd: (end) => this.#onEnd(carrier, end),
    });
    this.#racers.add(carrier);
    this.#set(GIVEN_MS, () => this.#giveUp());
  }

  #giveUp(): void {
    this.#endRace();
    this.#lose({});
  }

  #won(carrier: Carrier, rung: number, heartbeatMs: number): void {
    this.#untold = undefined;
    this.#drop();
    this.current?.end();
    this.current = carrier;
    if (rung < this.#rung) this.#climbs = 0;
    this.#rung = rung;
    this.#patience = PATIENCE;
    this.#openedAt = this.#hear();
    this.#heartbeatMs = Math.max(heartbeatMs, MIN_BEAT_MS);
    this.#beat();
    this.#climbLater();
  }

  #onEnd(carrier: Carrier, end: CarrierEnd): void {
    if (carrier === this.#finishing) {
      this.#finishing = undefined;
      this.#owner.onFinish();
    } else if (this.#racers.delete(carrier)) {
      if (end.error === undefined) this.#failed.push(`${carrier.kind}: ${end.what}`);
      if (this.#owner.onEnd(carrier.kind, end, false)) this.#lose(end);
    } else if (carrier === this.current) {
      this.current = undefined;
      this.#clock.clearTimer(this.#beatTimer);
      this.#settle();
      const tell = (): boolean => this.#owner.onEnd(carrier.kind, end, true);
      // A carrier that was started beside it may have taken the session, and its `open` is on the way.
      if (this.#racers.size > 0 && end.status === undefined && (end.code ?? REPLACED) === REPLACED) this.#untold = tell;
      else if (tell() && this.#racers.size === 0) this.#again(end);
    }
  }

  /** A racer is over, or all of them. */
  #lose(end: CarrierEnd): void {
    const { current } = this;
    if (current !== undefined) {
      current.hold(false);
      this.#failed = [];
      // On its own rung the racer was there to see whether it lives. Whatever it said meanwhile says that it does.
      if (this.#lowest === this.#rung && this.#heardAt < this.#probedAt) this.fail({ what: "silent" });
      else this.#climbLater();
      return;
    }
    if (this.#racers.size > 0) return;
    const untold = this.#untold;
    this.#untold = undefined;
    if (untold?.() === false) return;
    const mayDescend = this.#failures > this.#patience && end.status !== 429 && end.status !== 503;
    if (mayDescend && this.#lowest < this.#rungs.length - 1) this.#start(this.#lowest + 1);
    else this.#again(end);
  }

  #again({ retryAfterMs = 0 }: CarrierEnd): void {
    const failed = this.#failed;
    this.#failed = [];
    const delayMs = Math.max(this.#failures > 0 ? this.#delay(this.#failures) : 0, retryAfterMs);
    this.#failures += 1;
    if (this.#failures > MANY_FAILURES) this.#rung = 0;
    this.#set(delayMs, () => this.#attempt());
    if (failed.length > 0) this.#owner.onFailure(failed, delayMs);
  }

  /** A carrier that lived for a while did work. */
  #settle(): void {
    if (this.#since(this.#openedAt) >= STABLE_MS) this.#failures = 0;
  }

  #climbLater(): void {
    if (this.#rung === 0) return;
    const delayMs = Math.min(CLIMB_MS * 2 ** this.#climbs, MAX_CLIMB_MS);
    // From the lowest rung both above it are tried in turn.
    const rung = this.#climbs % 2 === 0 ? 0 : this.#rung - 1;
    this.#climbs += 1;
    this.#set(delayMs, () => this.#start(rung));
  }

  /** Each `heartbeatMs`: a sign of life to the other end, and a look at when there was one from it. */
  #beat(): void {
    this.#beatTimer = this.#clock.setTimer(() => {
      const current = this.current!;
      const isBlind = current.kind === "websocket";
      const beats = isBlind ? 2 ** Math.min(this.#silences + 1, MAX_SILENCES) : 2;
      if (++this.#quietBeats > beats || this.#since(this.#heardAt) >= beats * this.#heartbeatMs) {
        if (isBlind) this.#silences += 1;
        this.fail({ what: "silent" });
      } else if (!current.beat()) this.fail({ what: "what is sent does not arrive" });
      else if (current === this.current) this.#beat();
    }, this.#heartbeatMs);
  }

  #hear(): number {
    this.#quietBeats = 0;
    return (this.#heardAt = this.#clock.now());
  }

  #set(delayMs: number, then: () => void): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = this.#clock.setTimer(then, delayMs);
  }

  #since(time: number): number {
    return this.#clock.now() - time;
  }

  /** Ends all racers and timers. */
  #drop(): void {
    this.#endRace();
    this.#failed = [];
    this.#clock.clearTimer(this.#timer);
    this.#clock.clearTimer(this.#beatTimer);
  }

  #endRace(): void {
    for (const carrier of this.#racers) {
      this.#racers.delete(carrier);
      carrier.end();
      this.#failed.push(`${carrier.kind}: no answer in time`);
      // What has no token begins a session of its own.
      if (this.#patience > 0) this.ghosts += 1;
    }
  }
}

/** How long to wait before attempt 1, 2, 3, …: full jitter. */
export function fullJitter(
  { firstMs = 500, capMs = 30_000 }: BackoffOptions,
  environment: Pick<Environment, "random">,
): (attempt: number) => number {
  return (attempt) => environment.random() * Math.min(capMs, firstMs * 2 ** (attempt - 1));
}
