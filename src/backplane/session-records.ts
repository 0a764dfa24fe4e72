// The records of sessions and the addresses of processes in memory. The moves of a record are written here in full; stores over a
// broker do the same in one step of the broker. Every call has happened when it returns.

import { copied } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { TakeResult } from "./session-store.ts";

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

  /** Replaces a value and keeps its time to live. */
  replace(key: string, value: T): void {
    const found = this.#entries.get(key);
    if (found !== undefined) this.#entries.set(key, { value, until: found.until });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  /** Returns the keys and values; some may have expired. */
  entries(): readonly (readonly [key: string, value: T])[] {
    return [...this.#entries].map(([key, { value }]) => [key, value]);
  }
}

/** The records that several session stores share. Each method does what that of `SessionStore` promises; `ttlMs` is an integer above 0. */
export class SessionRecords {
  readonly #sessions: ExpiringMap<SessionRecord>;
  readonly #addresses: ExpiringMap<string>;
  #secret: string | undefined;

  constructor(clock: Clock) {
    this.#sessions = new ExpiringMap(clock);
    this.#addresses = new ExpiringMap(clock);
  }

  put(token: string, owner: string, snapshot: Uint8Array, ttlMs: number): boolean {
    const record = this.#sessions.get(token);
    if (record !== undefined && record.owner !== owner) return false;
    this.#sessions.set(token, { state: "stored", owner, snapshot: copied(snapshot) }, ttlMs);
    return true;
  }

  /** The snapshot of the result is the record's own: the caller does not change it. */
  take(token: string, taker: string, ttlMs: number, from: string | undefined): TakeResult {
    const record = this.#sessions.get(token);
    if (record === undefined) return { type: "unknown" };
    const { state, owner } = record;
    const mayTake = state === "stored" || (state === "taken" && (owner === taker || owner === from));
    if (!mayTake) return { type: "owned", owner, isClaimed: state === "claimed" };
    this.#sessions.set(token, { state: "taken", owner: taker, snapshot: record.snapshot }, ttlMs);
    return { type: "taken", snapshot: record.snapshot };
  }

  claim(token: string, taker: string, ttlMs: number): boolean {
    const record = this.#sessions.get(token);
    if (record === undefined || record.owner !== taker || record.state === "stored") return false;
    this.#sessions.set(token, { state: "claimed", owner: taker }, ttlMs);
    return true;
  }

  renew(tokens: readonly string[], owner: string, ttlMs: number): readonly string[] {
    const foreign: string[] = [];
    for (const token of tokens) {
      const record = this.#sessions.get(token);
      if (record !== undefined && record.owner !== owner) foreign.push(token);
      else if (record === undefined || record.state === "claimed") {
        this.#sessions.set(token, { state: "claimed", owner }, ttlMs);
      }
    }
    return foreign;
  }

  forget(token: string, owner: string): void {
    if (this.#sessions.get(token)?.owner === owner) this.#sessions.delete(token);
  }

  announce(process: string, address: string, ttlMs: number): void {
    this.#addresses.set(process, address, ttlMs);
  }

  withdraw(process: string): void {
    this.#addresses.delete(process);
  }

  locate(process: string): string | undefined {
    return this.#addresses.get(process);
  }

  /** Returns the secret of the service. The first caller may bring one, which it had from records that are lost. */
  secret(known?: string): string {
    this.#secret ??= known ?? process.getBuiltinModule("node:crypto").randomBytes(32).toString("base64url");
    return this.#secret;
  }

  /** A process has died: its sessions are over, and those that it has taken and not claimed are free again. */
  processDied(process: string): void {
    this.#addresses.delete(process);
    for (const [token, record] of this.#sessions.entries()) {
      if (record.owner !== process) continue;
      if (record.state === "claimed") this.#sessions.delete(token);
      else this.#sessions.replace(token, { ...record, state: "stored" });
    }
  }
}
