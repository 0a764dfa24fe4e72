// One group's subscription: begun, tried again while the broker is away, and ended, one at a time.

import type { Backplane, BackplaneEntry, BackplaneListener } from "./backplane.ts";

export interface FeedOwner {
  /** It is subscribed, and hears everything after `position`. `isLate`: an attempt had failed before. */
  began(position: string | undefined, isLate: boolean): void;
  heard(entry: BackplaneEntry): void;
  gap(): void;
  failed(error: unknown): void;
  /** How long to wait after which failed attempt. */
  pause(attempt: number): Promise<void>;
}

type Subscribable = Pick<Backplane, "subscribe" | "unsubscribe">;

export class Feed implements BackplaneListener {
  readonly #name: string;
  readonly #backplane: Subscribable;
  readonly #owner: FeedOwner;
  #isWanted = true;
  #isOn = false;
  #isTried = false;
  /** What came before its position was known. */
  #early: (BackplaneEntry | "gap")[] = [];
  #whenTried: (() => void)[] = [];
  #running: Promise<void> = Promise.resolve();
  #started: (() => void)[] = [];
  #onStop: (() => void) | undefined;

  constructor(name: string, backplane: Subscribable, owner: FeedOwner) {
    this.#name = name;
    this.#backplane = backplane;
    this.#owner = owner;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Subscribes, when the group's subscription before this one has ended. */
  start(before: Promise<void> | undefined): void {
    this.#running = this.#run(before);
  }

  /** Resolves when it is subscribed, or not wanted any more. */
  on(): Promise<void> {
    if (this.#isOn || !this.#isWanted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#started.push(resolve);
    });
  }

  /** Calls `fn` when the first attempt has come to its end, in the order of these calls. */
  whenTried<T>(fn: () => Promise<T>): Promise<T> {
    if (this.#isTried) return fn();
    return new Promise((resolve) => {
      // A backplane that throws harms nobody who waits as well.
      this.#whenTried.push(() => resolve(new Promise((settle) => settle(fn()))));
    });
  }

  /** Hears nothing any more. Resolves when another one may begin. */
  stop(): Promise<void> {
    this.#isWanted = false;
    this.#tried();
    this.#wake();
    this.#onStop?.();
    const wasOn = this.#isOn;
    this.#isOn = false;
    // The backplane must not deliver after this call, so it comes at once where there is a subscription.
    return wasOn ? this.#unsubscribe() : this.#running;
  }

  entry(entry: BackplaneEntry): void {
    if (this.#isOn) this.#owner.heard(entry);
    else if (this.#isWanted) this.#early.push(entry);
  }

  gap(): void {
    if (this.#isOn) this.#owner.gap();
    else if (this.#isWanted) this.#early.push("gap");
  }

  async #run(before: Promise<void> | undefined): Promise<void> {
    if (before !== undefined) await before;
    for (let attempt = 0; this.#isWanted; attempt++) {
      try {
        this.#begin(await this.#backplane.subscribe(this.#name, this), attempt > 0);
        if (!this.#isWanted) await this.#unsubscribe();
        return;
      } catch (error) {
        this.#owner.failed(error);
        this.#early = [];
        this.#tried();
        await this.#pause(attempt);
      }
    }
  }

  #pause(attempt: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onStop = resolve;
      void this.#owner.pause(attempt).then(resolve);
    });
  }

  #begin(position: string | undefined, isLate: boolean): void {
    if (!this.#isWanted) return;
    this.#isOn = true;
    this.#owner.began(position, isLate);
    const early = this.#early;
    this.#early = [];
    for (const what of early) {
      if (what === "gap") this.gap();
      else this.entry(what);
    }
    this.#tried();
    this.#wake();
  }

  #tried(): void {
    if (this.#isTried) return;
    this.#isTried = true;
    const waiting = this.#whenTried;
    this.#whenTried = [];
    for (const run of waiting) run();
  }

  #wake(): void {
    const started = this.#started;
    this.#started = [];
    for (const resolve of started) resolve();
  }

  async #unsubscribe(): Promise<void> {
    try {
      await this.#backplane.unsubscribe(this.#name);
    } catch (error) {
      this.#owner.failed(error);
    }
  }
}
