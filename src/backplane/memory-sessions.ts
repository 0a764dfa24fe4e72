// A session store inside one process: for tests, for several servers of one process, and as the simplest example of a session
// store. The moves of a record are written here in full; those over a broker do the same in one step of the broker.

import { copied } from "../base/bytes.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { checkMethods, checkOptions, type OptionTable } from "../base/option-values.ts";
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
  return new MemorySessionStore(new MemoryRecords(options.clock ?? systemClock));
}

/** The record of a session. */
type SessionRecord =
  | { readonly state: "stored" | "taken"; readonly owner: string; readonly snapshot: Uint8Array }
  | { readonly state: "claimed"; readonly owner: string };

/** Number of writes after which all records are searched for those whose time to live has passed. */
const SWEEP_EVERY = 1000;

/** Values with a time to live. */
class ExpiringMap<T> {
  readonly #clock: Clock;
  readonly #entries = new Map<string, { readonly value: T; readonly until: number }>();
  #writes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(key: string): T | undefined {
    const found = this.#entries.get(key);
    if (found === undefined || found.until > this.#clock.now()) return found?.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: T, ttlMs: number): void {
    this.#writes += 1;
    if (this.#writes % SWEEP_EVERY === 0) for (const name of this.#entries.keys()) this.get(name);
    this.#entries.set(key, { value, until: this.#clock.now() + ttlMs });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

/** The records that several session stores share. */
class MemoryRecords {
  readonly sessions: ExpiringMap<SessionRecord>;
  readonly addresses: ExpiringMap<string>;
  readonly secret: string = process.getBuiltinModule("node:crypto").randomBytes(32).toString("base64url");

  constructor(clock: Clock) {
    this.sessions = new ExpiringMap(clock);
    this.addresses = new ExpiringMap(clock);
  }
}

class MemorySessionStore implements MemorySessions {
  readonly #records: MemoryRecords;
  #isClosed = false;

  constructor(records: MemoryRecords) {
    this.#records = records;
  }

  share(): MemorySessions {
    return new MemorySessionStore(this.#records);
  }

  async put(token: string, owner: string, snapshot: Uint8Array, ttlMs: number): Promise<boolean> {
    const sessions = this.#open().sessions;
    checkSnapshot(snapshot);
    const ttl = toTtl(ttlMs);
    const record = sessions.get(token);
    if (record !== undefined && record.owner !== owner) return false;
    sessions.set(token, { state: "stored", owner, snapshot: copied(snapshot) }, ttl);
    return true;
  }

  async take(token: string, taker: string, { ttlMs, from }: TakeOptions): Promise<TakeResult> {
    const sessions = this.#open().sessions;
    const ttl = toTtl(ttlMs);
    const record = sessions.get(token);
    if (record === undefined) return { type: "unknown" };
    const { state, owner } = record;
    const mayTake = state === "stored" || (state === "taken" && (owner === taker || owner === from));
    if (!mayTake) return { type: "owned", owner, isClaimed: state === "claimed" };
    sessions.set(token, { state: "taken", owner: taker, snapshot: record.snapshot }, ttl);
    return { type: "taken", snapshot: copied(record.snapshot) };
  }

  async claim(token: string, taker: string, ttlMs: number): Promise<boolean> {
    const sessions = this.#open().sessions;
    const ttl = toTtl(ttlMs);
    const record = sessions.get(token);
    if (record === undefined || record.owner !== taker || record.state === "stored") return false;
    sessions.set(token, { state: "claimed", owner: taker }, ttl);
    return true;
  }

  async renew(tokens: readonly string[], owner: string, ttlMs: number): Promise<readonly string[]> {
    const sessions = this.#open().sessions;
    const ttl = toTtl(ttlMs);
    const foreign: string[] = [];
    for (const token of tokens) {
      const record = sessions.get(token);
      if (record !== undefined && record.owner !== owner) foreign.push(token);
      else if (record === undefined || record.state === "claimed") {
        sessions.set(token, { state: "claimed", owner }, ttl);
      }
    }
    return foreign;
  }

  async forget(token: string, owner: string): Promise<void> {
    const sessions = this.#open().sessions;
    if (sessions.get(token)?.owner === owner) sessions.delete(token);
  }

  async announce(process: string, address: string, ttlMs: number): Promise<void> {
    this.#open().addresses.set(process, address, toTtl(ttlMs));
  }

  async withdraw(process: string): Promise<void> {
    this.#open().addresses.delete(process);
  }

  async locate(process: string): Promise<string | undefined> {
    return this.#open().addresses.get(process);
  }

  async secret(): Promise<string> {
    return this.#open().secret;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #open(): MemoryRecords {
    if (this.#isClosed) throw unavailable("closed");
    return this.#records;
  }
}
