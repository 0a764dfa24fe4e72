// The claim on a session that this process has taken from the session store. Until it is granted another process may take the
// session: this one sends nothing new and delivers nothing, so that nothing is done twice.

import type { Clock, Timer } from "../base/clock.ts";

/** The session store, for one session. */
export interface ClaimSource {
  /** False if another process has the session. Rejects if it is not known. */
  claim(token: string): Promise<boolean>;
}

/**
 * pending  nothing new has come so far
 * asked    the store was asked
 * granted  the session is this process's alone
 * lost     another process has it
 */
type State = "pending" | "asked" | "granted" | "lost";

/** A client that says nothing keeps the session: it is claimed after this time, in milliseconds. */
const IDLE_MS = 5000;
const RETRY_MS = 500;

export interface ClaimOptions {
  readonly token: string;
  readonly source: ClaimSource;
  readonly clock: Clock;
  /** The claim is granted: what waited goes on. */
  readonly onGranted: () => void;
  /** Another process has the session: this one drops it, and says nothing to anybody. */
  readonly onLost: () => void;
}

export class Claim {
  #state: State = "pending";
  readonly #options: ClaimOptions;
  #timer: Timer | undefined;

  constructor(options: ClaimOptions) {
    this.#options = options;
    this.#timer = options.clock.setTimer(() => this.request(), IDLE_MS);
  }

  /** Something new waits for the claim. */
  request(): void {
    if (this.#state !== "pending") return;
    this.#state = "asked";
    this.#options.clock.clearTimer(this.#timer);
    void this.#ask();
  }

  /** The session is over, or leaves this process. */
  giveUp(): void {
    if (this.#state === "granted") return;
    this.#state = "lost";
    this.#options.clock.clearTimer(this.#timer);
  }

  /** Asks until the store answers: without its answer nothing may be done that another process might do as well. */
  async #ask(): Promise<void> {
    const { source, token, clock, onGranted, onLost } = this.#options;
    while (this.#isAsked()) {
      const isOurs = await source.claim(token).catch(() => undefined);
      if (!this.#isAsked()) return;
      if (isOurs !== undefined) {
        this.#state = isOurs ? "granted" : "lost";
        if (isOurs) onGranted();
        else onLost();
        return;
      }
      await new Promise<void>((resolve) => {
        this.#timer = clock.setTimer(resolve, RETRY_MS);
      });
    }
  }

  /** A method, because the compiler assumes that a field keeps its narrowed type across an `await`. */
  #isAsked(): boolean {
    return this.#state === "asked";
  }
}
