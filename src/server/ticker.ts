// The timer of a server. One timer serves all timeouts: twice a second each connection and channel is checked, and the one
// that waits or is silent for too long is ended.

import { afterReads } from "../base/after-reads.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { type Moves, StateMachine } from "../base/state-machine.ts";
import { TransportChannel } from "../channel/transport-channel.ts";
import type { OpenConnection } from "./exchange-source.ts";

/** A timeout begins with one tick and ends with another: each may come this late, both together a second. */
const TICK_MS = 500;

/** Ending a connection takes about 0.15 ms. After this many, the event loop gets a turn for other work. */
const MAX_ENDED_PER_TURN = 64;

type Open = OpenConnection | TransportChannel;

/** `checking`: a tick goes on over several turns, and the next one must not begin. */
type TickerState = "new" | "waiting" | "checking" | "stopped";

/** Every legal move. */
const MOVES: Moves<TickerState> = {
  new: ["waiting", "stopped"],
  waiting: ["checking", "stopped"],
  checking: ["waiting", "stopped"],
  stopped: [],
};

export interface TickerOwner {
  /** The open connections and channels, as a copy. */
  open(): readonly Open[];
  /** Called with each tick, before anything is checked. Must not throw. */
  tickBegins(now: number): void;
  /** Receives an exception of a tick. */
  tickFailed(error: unknown): void;
}

export class Ticker {
  readonly #clock: Clock;
  readonly #owner: TickerOwner;
  readonly #state = new StateMachine("a ticker", MOVES, "new");
  #timer: Timer | undefined;
  #tickedAt: number;

  constructor(clock: Clock, owner: TickerOwner) {
    this.#clock = clock;
    this.#owner = owner;
    this.#tickedAt = clock.now();
  }

  /** Ticks for the first time. */
  start(): void {
    this.#tickedAt = this.#clock.now();
    this.#state.tryMoveTo("waiting");
    this.#tick();
  }

  stop(): void {
    this.#state.tryMoveTo("stopped");
    this.#clock.clearTimer(this.#timer);
  }

  #tick(): void {
    if (this.#state.is("stopped")) return;
    // Set first, so that an exception below does not end all timeouts.
    this.#timer = this.#clock.setTimer(() => this.#tick(), TICK_MS);
    const now = this.#clock.now();
    this.#owner.tickBegins(now);
    if (!this.#state.tryMoveTo("checking")) return;
    const open = this.#owner.open();
    const isLate = now - this.#tickedAt >= 2 * TICK_MS;
    this.#tickedAt = now;
    // A process that was busy or suspended reads the bytes that came meanwhile before it counts silence.
    if (isLate) afterReads(() => this.#check(open, 0));
    else this.#check(open, 0);
  }

  /** Checks each from the index `start` on, and goes on in the next turn if many were ended in this one. */
  #check(open: readonly Open[], start: number): void {
    const now = this.#clock.now();
    let ended = 0;
    for (let i = start; i < open.length; i++) {
      if (ended >= MAX_ENDED_PER_TURN) {
        setImmediate(() => this.#check(open, i));
        return;
      }
      const one = open[i]!;
      // One that has closed since the snapshot is skipped.
      if (one.index === undefined) continue;
      try {
        if (one instanceof TransportChannel ? tickChannel(one, now) : one.tick(now)) ended += 1;
      } catch (error) {
        this.#owner.tickFailed(error);
      }
    }
    this.#state.tryMoveTo("waiting");
  }
}

/** Returns true if the channel was ended. */
function tickChannel(channel: TransportChannel, now: number): boolean {
  const wasOpen = channel.isOpen;
  channel.tick(now);
  return wasOpen && !channel.isOpen;
}
