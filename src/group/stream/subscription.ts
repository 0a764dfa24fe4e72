// The subscription of one group at the backplane. It is tried again until it succeeds, and ended once.

import type { Backplane, BackplaneEntry, BackplaneListener } from "../../backplane/backplane.ts";
import { type Moves, StateMachine } from "../../base/state-machine.ts";
import type { Pause, Retries } from "./retries.ts";

/**
 * waiting      the group's previous subscription is still being ended
 * subscribing  the backplane was asked; entries that arrive before its answer are held
 * pausing      an attempt failed; the next one follows
 * active       entries are delivered
 * ended        nothing is delivered any more
 */
type State = "waiting" | "subscribing" | "pausing" | "active" | "ended";

/** Every legal move. */
const MOVES: Moves<State> = {
  waiting: ["subscribing", "ended"],
  subscribing: ["active", "pausing", "ended"],
  pausing: ["subscribing", "ended"],
  active: ["ended"],
  ended: [],
};

type Subscribable = Pick<Backplane, "subscribe" | "unsubscribe">;

export interface SubscriptionOwner {
  /**
   * Every entry after `position` is received from now on. After failed attempts, entries before it that were published after
   * members had joined may be missing.
   */
  began(position: string | undefined, failedAttempts: number): void;
  received(entry: BackplaneEntry): void;
  gap(): void;
  failed(error: unknown): void;
}

export class Subscription implements BackplaneListener {
  readonly #group: string;
  readonly #backplane: Subscribable;
  readonly #retries: Retries;
  readonly #owner: SubscriptionOwner;
  readonly #state = new StateMachine("a subscription", MOVES, "waiting");
  /** Entries and gaps that arrived before the position at which the subscription begins. */
  #early: (BackplaneEntry | "gap")[] = [];
  /** Callbacks for the end of the first attempt; undefined once it has ended. */
  #onTried: (() => void)[] | undefined = [];
  /** Callbacks for the moment at which it is active or ended. */
  #onSettled: (() => void)[] = [];
  /** The last pause between two attempts. */
  #pause: Pause | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(group: string, backplane: Subscribable, retries: Retries, owner: SubscriptionOwner) {
    this.#group = group;
    this.#backplane = backplane;
    this.#retries = retries;
    this.#owner = owner;
  }

  get isActive(): boolean {
    return this.#state.is("active");
  }

  /** Subscribes, when the group's previous subscription has ended. */
  start(previous: Promise<void> | undefined): void {
    this.#running = this.#run(previous);
  }

  /** Resolves when it is active or ended. */
  settled(): Promise<void> {
    if (this.#state.is("active") || this.#state.is("ended")) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onSettled.push(resolve);
    });
  }

  /** Calls `fn` when the first attempt has succeeded or failed, in the order of these calls. */
  whenTried<T>(fn: () => Promise<T>): Promise<T> {
    const waiting = this.#onTried;
    if (waiting === undefined) return fn();
    return new Promise((resolve) => {
      // A call that throws rejects its own promise; the calls behind it run.
      waiting.push(() => resolve(new Promise((settle) => settle(fn()))));
    });
  }

  /** Ends the delivery at once. Resolves when another subscription of the group may begin. */
  stop(): Promise<void> {
    const wasActive = this.#state.is("active");
    this.#state.moveTo("ended");
    this.#pause?.end();
    this.#firstAttemptEnded();
    this.#tellSettled();
    // The backplane must not deliver after this call, so an active subscription is ended at once.
    return wasActive ? this.#unsubscribe() : this.#running;
  }

  entry(entry: BackplaneEntry): void {
    if (this.#state.is("active")) this.#owner.received(entry);
    else if (!this.#state.is("ended")) this.#early.push(entry);
  }

  gap(): void {
    if (this.#state.is("active")) this.#owner.gap();
    else if (!this.#state.is("ended")) this.#early.push("gap");
  }

  async #run(previous: Promise<void> | undefined): Promise<void> {
    if (previous !== undefined) await previous;
    for (let attempt = 0; !this.#state.is("ended"); attempt++) {
      this.#state.moveTo("subscribing");
      try {
        const position = await this.#backplane.subscribe(this.#group, this);
        if (this.#state.is("ended")) await this.#unsubscribe();
        else this.#begin(position, attempt);
        return;
      } catch (error) {
        this.#owner.failed(error);
        this.#early = [];
        if (this.#state.is("ended")) return;
        this.#state.moveTo("pausing");
        this.#firstAttemptEnded();
        this.#pause = this.#retries.pause(attempt);
        await this.#pause.over;
      }
    }
  }

  #begin(position: string | undefined, failedAttempts: number): void {
    this.#state.moveTo("active");
    this.#owner.began(position, failedAttempts);
    const early = this.#early;
    this.#early = [];
    for (const what of early) {
      if (what === "gap") this.gap();
      else this.entry(what);
    }
    this.#firstAttemptEnded();
    this.#tellSettled();
  }

  #firstAttemptEnded(): void {
    const waiting = this.#onTried;
    this.#onTried = undefined;
    for (const run of waiting ?? []) run();
  }

  #tellSettled(): void {
    const waiting = this.#onSettled;
    this.#onSettled = [];
    for (const resolve of waiting) resolve();
  }

  async #unsubscribe(): Promise<void> {
    try {
      await this.#backplane.unsubscribe(this.#group);
    } catch (error) {
      this.#owner.failed(error);
    }
  }
}
