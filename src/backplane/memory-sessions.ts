// A session store inside one process: for tests, for several servers of one process, and as the simplest example of a session
// store. The moves of a record are in `session-records.ts`.

import { copied } from "../base/bytes.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { checkMethods, checkOptions, type OptionTable } from "../base/option-values.ts";
import { SessionRecords } from "./session-records.ts";
import type { SessionStore, TakeOptions, TakeResult } from "./session-store.ts";
import { checkSnapshot, toTtl } from "./session-store-values.ts";
import { unavailable } from "./unavailable.ts";

/** The options of `memorySessions`. */
export interface MemorySessionsOptions {
  /** The source of time, for tests: `VirtualClock` of `unichannel/testing`. @default the system's clock */
  readonly clock?: Clock | undefined;
}

/** A session store inside one process. */
export interface MemorySessions extends SessionStore {
  /** Returns another session store with the same records, as another process would have it. Each is closed on its own. */
  share(): MemorySessions;
}

const MEMORY_OPTIONS: OptionTable & Readonly<Record<keyof MemorySessionsOptions, unknown>> = {
  clock: checkMethods("a clock", ["now", "setTimer", "clearTimer"]),
};

/**
 * A session store inside this process, for tests and for several servers of one process: give each server its own with `share()`.
 * Its records end with the process.
 */
export function memorySessions(options: MemorySessionsOptions = {}): MemorySessions {
  checkOptions("memorySessions", options, MEMORY_OPTIONS);
  return new MemorySessionStore(new SessionRecords(options.clock ?? systemClock));
}

class MemorySessionStore implements MemorySessions {
  readonly #records: SessionRecords;
  #isClosed = false;

  constructor(records: SessionRecords) {
    this.#records = records;
  }

  share(): MemorySessions {
    return new MemorySessionStore(this.#records);
  }

  async put(token: string, owner: string, snapshot: Uint8Array, ttlMs: number): Promise<boolean> {
    const records = this.#open();
    checkSnapshot(snapshot);
    return records.put(token, owner, snapshot, toTtl(ttlMs));
  }

  async take(token: string, taker: string, { ttlMs, from }: TakeOptions): Promise<TakeResult> {
    const answer = this.#open().take(token, taker, toTtl(ttlMs), from);
    return answer.type === "taken" ? { type: "taken", snapshot: copied(answer.snapshot) } : answer;
  }

  async claim(token: string, taker: string, ttlMs: number): Promise<boolean> {
    return this.#open().claim(token, taker, toTtl(ttlMs));
  }

  async renew(tokens: readonly string[], owner: string, ttlMs: number): Promise<readonly string[]> {
    return this.#open().renew(tokens, owner, toTtl(ttlMs));
  }

  async forget(token: string, owner: string): Promise<void> {
    this.#open().forget(token, owner);
  }

  async announce(process: string, address: string, ttlMs: number): Promise<void> {
    this.#open().announce(process, address, toTtl(ttlMs));
  }

  async withdraw(process: string): Promise<void> {
    this.#open().withdraw(process);
  }

  async locate(process: string): Promise<string | undefined> {
    return this.#open().locate(process);
  }

  async secret(): Promise<string> {
    return this.#open().secret();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #open(): SessionRecords {
    if (this.#isClosed) throw unavailable("closed");
    return this.#records;
  }
}
