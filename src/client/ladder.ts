// Which carrier a connection is on: websocket, stream, poll, by what arrives and not by what seems connected (PROTOCOL.md,
// "Writing a client"). Carriers race until the first `open`; on a lower rung better ones are tried again; a carrier that
// dies is followed by another. It knows nothing of sessions: they only go where it says.

import type { Clock, Timer } from "../base/clock.ts";
import type { ServerRecord } from "../codec/session-record.ts";
import type { Carrier, CarrierEnd, CarrierKind, CarrierListener } from "./carrier.ts";
import type { Environment } from "./environment.ts";

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
/** Platforms take a longer time for none. */
const MAX_TIMER_MS = 2 ** 31 - 1;

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
  /** Asked each `heartbeatMs`: what was sent does not arrive, whatever comes down. */
  isStuck(): boolean;
  /**
   * A carrier is over, with `wasOpen` the current one; with `wasRaced` others had asked for the session too. False: do
   * not look for another.
   */
  onEnd(end: CarrierEnd, wasOpen: boolean, wasRaced: boolean): boolean;
}

export class Ladder {
  /** What carries the session now. */
  current: Carrier | undefined;
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
  /** More than one carrier has asked for the session since the last attempt began. */
  #wasRaced = false;
  #climbs = 0;
  #openedAt = 0;
  #heardAt = 0;
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

  /** Looks for a carrier after `delayMs`, whatever there is now. */
  restart(delayMs: number): void {
    this.stop();
    this.#failures = 1;
    this.#set(delayMs, () => this.#attempt());
  }

  /** The network may be another, or the page has slept: sees at once whether the carrier lives, or looks for one. */
  check(isCertain: boolean): void {
    const isRacing = this.#racers.size > 0;
    if (this.current === undefined) {
      if (!isRacing || isCertain) this.restart(0);
    } else if (!isRacing && (isCertain || this.#since(this.#heardAt) >= this.#heartbeatMs)) {
      this.#probe(this.#rung);
    }
  }

  /** Ends everything; the current carrier after what it has to send. */
  stop(): void {
    this.#drop();
    this.current?.finish();
    this.current = undefined;
  }

  #attempt(): void {
    this.#start(this.#rung);
    this.#wasRaced = false;
  }

  #start(rung: number): void {
    this.#lowest = rung;
    this.#wasRaced = true;
    // Whoever comes last with a token has the session, and ends those before. A proxy that holds a stream back until it has
    // ended would show its `open` then: it would win, and be over, each time.
    if (this.#patience > 0) this.#endRace();
    const carrier: Carrier = this.#owner.start(this.#rungs[rung]!, {
      onAlive: () => {
        if (carrier === this.current) this.#heardAt = this.#clock.now();
      },
      onRecord: (record) => {
        if (record.type === "open" && this.#racers.delete(carrier)) this.#won(carrier, rung, record.heartbeatMs);
        // A poll has an `open` each time.
        if (carrier === this.current) this.#owner.onRecord(carrier, record);
      },
      onEnd: (end) => this.#onEnd(carrier, end),
      wait: (attempt) =>
        new Promise((resolve) => {
          this.#clock.setTimer(resolve, this.#delay(attempt));
        }),
    });
    this.#racers.add(carrier);
    if (rung === this.#rungs.length - 1) this.#set(ATTEMPT_MS, () => this.#giveUp());
    else this.#set(OPEN_MS, () => this.#start(rung + 1));
  }

  /** Starts a carrier beside the current one, which it takes the session from if its `open` arrives. */
  #probe(rung: number): void {
    this.#start(rung);
    this.current!.hold(true);
    this.#set(OPEN_MS, () => this.#giveUp());
  }

  #giveUp(): void {
    this.#endRace();
    this.#failed({});
  }

  #won(carrier: Carrier, rung: number, heartbeatMs: number): void {
    this.#drop();
    this.current?.end();
    this.current = carrier;
    if (rung < this.#rung) this.#climbs = 0;
    this.#rung = rung;
    this.#patience = PATIENCE;
    this.#openedAt = this.#heardAt = this.#clock.now();
    this.#heartbeatMs = heartbeatMs;
    this.#beat();
    this.#climbLater();
  }

  #onEnd(carrier: Carrier, end: CarrierEnd): void {
    if (this.#racers.delete(carrier)) {
      this.#failed(end);
      return;
    }
    if (carrier !== this.current) return;
    this.current = undefined;
    this.#clock.clearTimer(this.#beatTimer);
    if (this.#since(this.#openedAt) >= STABLE_MS) this.#failures = 0;
    const goesOn = this.#owner.onEnd(end, true, this.#wasRaced);
    // A carrier that is started already may have taken the session, and so have ended this one.
    if (goesOn && this.#racers.size === 0) this.#again(end);
  }

  /** A racer is over, or all of them. */
  #failed(end: CarrierEnd): void {
    const { current } = this;
    if (current !== undefined) {
      current.hold(false);
      // On its own rung the racer was there to see whether it lives.
      if (this.#lowest === this.#rung) this.#dead(current);
      else this.#climbLater();
      return;
    }
    if (!this.#owner.onEnd(end, false, true) || this.#racers.size > 0) return;
    const mayDescend = this.#failures > this.#patience;
    if (mayDescend && end.status !== 503 && this.#lowest < this.#rungs.length - 1) this.#start(this.#lowest + 1);
    else this.#again(end);
  }

  #again({ retryAfterMs = 0 }: CarrierEnd): void {
    const delayMs = this.#failures > 0 ? this.#delay(this.#failures) : 0;
    this.#failures += 1;
    if (this.#failures > MANY_FAILURES) this.#rung = 0;
    this.#set(Math.max(delayMs, retryAfterMs), () => this.#attempt());
  }

  #dead(carrier: Carrier): void {
    carrier.end();
    this.#onEnd(carrier, {});
  }

  #climbLater(): void {
    if (this.#rung === 0) return;
    const delayMs = Math.min(CLIMB_MS * 2 ** this.#climbs, MAX_CLIMB_MS);
    // From the lowest rung both above it are tried in turn.
    const rung = this.#climbs % 2 === 0 ? 0 : this.#rung - 1;
    this.#climbs += 1;
    this.#set(delayMs, () => this.#probe(rung));
  }

  /** Each `heartbeatMs`: a sign of life to the other end, and a look at when there was one from it. */
  #beat(): void {
    this.#beatTimer = this.#clock.setTimer(() => {
      const current = this.current!;
      if (this.#since(this.#heardAt) >= 2 * this.#heartbeatMs || this.#owner.isStuck()) {
        this.#dead(current);
        return;
      }
      current.beat();
      this.#beat();
    }, this.#heartbeatMs);
  }

  #set(delayMs: number, then: () => void): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = this.#clock.setTimer(then, Math.min(delayMs, MAX_TIMER_MS));
  }

  #since(time: number): number {
    return this.#clock.now() - time;
  }

  /** Ends all racers and timers. */
  #drop(): void {
    this.#endRace();
    this.#clock.clearTimer(this.#timer);
    this.#clock.clearTimer(this.#beatTimer);
  }

  #endRace(): void {
    for (const carrier of this.#racers) carrier.end();
    this.#racers.clear();
  }
}

/** How long to wait before attempt 1, 2, 3, …: full jitter. */
export function fullJitter(
  { firstMs = 500, capMs = 30_000 }: BackoffOptions,
  environment: Pick<Environment, "random">,
): (attempt: number) => number {
  return (attempt) => environment.random() * Math.min(capMs, firstMs * 2 ** (attempt - 1));
}
