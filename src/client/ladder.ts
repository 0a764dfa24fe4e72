// Which carrier a connection is on: websocket, stream, poll, by what arrives and not by what seems connected (PROTOCOL.md,
// "Writing a client"). Carriers race until the first `open`; on a lower rung better ones are tried again; a carrier that
// dies is followed by another. It knows nothing of sessions: they only go where it says.

import type { Timer } from "../base/clock.ts";
import type { OpenRecord, SessionRecord } from "../codec/session-record.ts";
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
const FAILURES = 2;
/** After so many, attempts begin at the top: what worked here may not be what works there. */
const MANY_FAILURES = 4;

export interface BackoffOptions {
  /** @default 500 */
  readonly firstMs?: number | undefined;
  /** @default 30_000 */
  readonly capMs?: number | undefined;
}

export interface LadderOwner {
  start(kind: CarrierKind, listener: CarrierListener): Carrier;
  /** `carrier` is the current one from now on. */
  onOpen(carrier: Carrier, record: OpenRecord): void;
  onRecord(record: SessionRecord): void;
  /** Asked each `heartbeatMs`: what was sent does not arrive, whatever comes down. */
  isStuck(): boolean;
  /** The current carrier is over. False: do not look for another. */
  onDown(end: CarrierEnd, wasRaced: boolean): boolean;
  /** A carrier ended before its `open`. False: do not go on. */
  onFailure(end: CarrierEnd): boolean;
}

export class Ladder {
  /** What carries the session now. */
  current: Carrier | undefined;
  readonly #rungs: readonly CarrierKind[];
  readonly #owner: LadderOwner;
  readonly #environment: Environment;
  readonly #backoff: BackoffOptions;
  /** Where attempts begin: where the last one was won. */
  #rung: number;
  /** Something was open on #rung. */
  #isProven = false;
  /** In a row; 1 while the first carrier is looked for. */
  #failures = 1;
  /** Started and without an `open` so far. */
  readonly #racers = new Map<Carrier, number>();
  #lowest = 0;
  /** More than one carrier asked for the session in the last race. */
  #wasRaced = false;
  /** The racer is there to see whether the current carrier lives. */
  #isCheck = false;
  #climbs = 0;
  #openedAt = 0;
  #heardAt = 0;
  /** Of the race, or until the next attempt. */
  #timer: Timer | undefined;
  #climbTimer: Timer | undefined;
  #beatTimer: Timer | undefined;
  #heartbeatMs = 0;
  #isStopped = false;

  constructor(
    rungs: readonly CarrierKind[],
    rung: number,
    environment: Environment,
    backoff: BackoffOptions,
    owner: LadderOwner,
  ) {
    this.#rungs = rungs;
    this.#rung = rung;
    this.#environment = environment;
    this.#backoff = backoff;
    this.#owner = owner;
    this.#attempt();
  }

  /** Looks for a carrier after `delayMs`, whatever there is now. */
  restart(delayMs: number): void {
    this.#drop();
    this.current?.finish();
    this.current = undefined;
    this.#failures = 1;
    this.#set(delayMs, () => this.#attempt());
  }

  /** The network may be another, or the page has slept: sees at once whether the carrier lives, or looks for one. */
  check(isCertain: boolean): void {
    if (this.#isStopped) return;
    if (this.current === undefined) {
      if (this.#racers.size === 0 || isCertain) this.restart(0);
      return;
    }
    const silentMs = this.#environment.clock.now() - this.#heardAt;
    if (this.#racers.size > 0 || (!isCertain && silentMs < this.#heartbeatMs)) return;
    this.#probe(this.#rung, true);
  }

  /** How long to wait before attempt 1, 2, 3, …: full jitter. */
  delay(attempt: number): number {
    const { firstMs = 500, capMs = 30_000 } = this.#backoff;
    return this.#environment.random() * Math.min(capMs, firstMs * 2 ** (attempt - 1));
  }

  /** Ends everything; the current carrier after what it has to send. */
  stop(): void {
    this.#isStopped = true;
    this.#drop();
    this.current?.finish();
    this.current = undefined;
  }

  #attempt(): void {
    this.#wasRaced = false;
    this.#start(this.#rung);
  }

  #start(rung: number): void {
    this.#lowest = rung;
    this.#wasRaced ||= this.#racers.size > 0;
    // Whoever comes last with a token has the session, and ends those before. A proxy that holds a stream back until it has
    // ended would show its `open` then: it would win, and be over, each time.
    if (this.#isProven) this.#endRacers();
    const carrier: Carrier = this.#owner.start(this.#rungs[rung]!, {
      onAlive: () => {
        if (carrier === this.current) this.#heardAt = this.#environment.clock.now();
      },
      onRecord: (record) => this.#onRecord(carrier, rung, record),
      onEnd: (end) => this.#onEnd(carrier, end),
    });
    this.#racers.set(carrier, rung);
    if (rung === this.#rungs.length - 1) this.#set(ATTEMPT_MS, () => this.#giveUp());
    else this.#set(OPEN_MS, () => this.#start(rung + 1));
  }

  /** Starts a carrier beside the current one, which it takes the session from if its `open` arrives. */
  #probe(rung: number, isCheck: boolean): void {
    this.#start(rung);
    this.#wasRaced = true;
    this.#isCheck = isCheck;
    this.current!.hold(true);
    this.#set(OPEN_MS, () => this.#giveUp());
  }

  #giveUp(): void {
    this.#endRacers();
    this.#failed({});
  }

  #onRecord(carrier: Carrier, rung: number, record: SessionRecord): void {
    if (carrier === this.current) {
      // A poll has an `open` each time.
      if (record.type === "open") this.#owner.onOpen(carrier, record);
      else this.#owner.onRecord(record);
    } else if (record.type === "open" && this.#racers.has(carrier)) this.#won(carrier, rung, record);
  }

  #won(carrier: Carrier, rung: number, record: OpenRecord): void {
    this.#racers.delete(carrier);
    this.#drop();
    this.current?.end();
    this.current = carrier;
    if (rung < this.#rung) this.#climbs = 0;
    this.#rung = rung;
    this.#isProven = true;
    this.#openedAt = this.#heardAt = this.#environment.clock.now();
    this.#heartbeatMs = record.heartbeatMs;
    this.#beat();
    this.#climbLater();
    this.#owner.onOpen(carrier, record);
  }

  #onEnd(carrier: Carrier, end: CarrierEnd): void {
    if (this.#racers.delete(carrier)) {
      this.#failed(end);
      return;
    }
    if (carrier !== this.current) return;
    this.current = undefined;
    this.#environment.clock.clearTimer(this.#beatTimer);
    this.#environment.clock.clearTimer(this.#climbTimer);
    const lived = this.#environment.clock.now() - this.#openedAt;
    if (lived >= STABLE_MS) this.#failures = 0;
    if (!this.#owner.onDown(end, this.#wasRaced)) return;
    // A carrier that is started already may have taken the session, and so have ended this one.
    if (this.#racers.size === 0) this.#again(end);
  }

  /** A racer is over, or all of them. */
  #failed(end: CarrierEnd): void {
    const { current } = this;
    if (current === undefined) {
      if (!this.#owner.onFailure(end)) return;
      const mayDescend = !this.#isProven || this.#failures > FAILURES;
      if (this.#racers.size > 0) return;
      if (mayDescend && end.status !== 503 && !this.#isCheck && this.#lowest < this.#rungs.length - 1)
        this.#start(this.#lowest + 1);
      else this.#again(end);
      return;
    }
    this.#environment.clock.clearTimer(this.#timer);
    current.hold(false);
    if (this.#isCheck) this.#dead(current);
    else this.#climbLater();
  }

  #again({ retryAfterMs = 0 }: CarrierEnd): void {
    const delayMs = this.#failures === 0 ? 0 : this.delay(this.#failures);
    this.#failures += 1;
    if (this.#failures > MANY_FAILURES) this.#rung = 0;
    this.#isCheck = false;
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
    this.#environment.clock.clearTimer(this.#climbTimer);
    this.#climbTimer = this.#environment.clock.setTimer(() => {
      // A check is under way: it says more than this could.
      if (this.#racers.size > 0) this.#climbLater();
      else this.#probe(rung, false);
    }, delayMs);
  }

  /** Each `heartbeatMs`: a sign of life to the other end, and a look at when there was one from it. */
  #beat(): void {
    this.#environment.clock.clearTimer(this.#beatTimer);
    this.#beatTimer = this.#environment.clock.setTimer(() => {
      const { current } = this;
      if (current === undefined) return;
      const silentMs = this.#environment.clock.now() - this.#heardAt;
      if (silentMs >= 2 * this.#heartbeatMs || this.#owner.isStuck()) {
        this.#dead(current);
        return;
      }
      current.beat();
      this.#beat();
    }, this.#heartbeatMs);
  }

  #set(delayMs: number, then: () => void): void {
    this.#environment.clock.clearTimer(this.#timer);
    this.#timer = this.#environment.clock.setTimer(then, delayMs);
  }

  #endRacers(): void {
    for (const carrier of this.#racers.keys()) carrier.end();
    this.#racers.clear();
  }

  /** Ends all racers and timers. */
  #drop(): void {
    this.#endRacers();
    this.#isCheck = false;
    for (const timer of [this.#timer, this.#climbTimer, this.#beatTimer]) this.#environment.clock.clearTimer(timer);
  }
}
