// The parts of a session store that do not depend on its broker: checks of the arguments, a limit on what is on its way, errors of
// one code, the end.

import { ByteWindow } from "./byte-window.ts";
import { MAX_SNAPSHOT_BYTES, type SessionStore, type TakeOptions, type TakeResult } from "./session-store.ts";
import { checkSnapshot, toTtl } from "./session-store-values.ts";
import { orUnavailable, unavailable } from "./unavailable.ts";

/** Bytes of a record besides its snapshot, at least. */
const RECORD_BYTES = 200;

/**
 * Returns the limit of the connection, for a store that lets snapshots of `maxPendingBytes` be on their way, or one that is
 * larger: small commands are not refused because of them.
 */
export function linkLimit(maxPendingBytes: number): number {
  return Math.max(maxPendingBytes, MAX_SNAPSHOT_BYTES + 64 * 1024) + maxPendingBytes;
}

export abstract class BrokerSessions implements SessionStore {
  /** Bytes of snapshots on their way. */
  readonly #snapshots: ByteWindow;
  /** Number of calls on their way. */
  readonly #calls: ByteWindow;
  #isClosed = false;

  constructor({ maxPendingBytes, maxCalls }: { readonly maxPendingBytes: number; readonly maxCalls: number }) {
    this.#snapshots = new ByteWindow(maxPendingBytes);
    this.#calls = new ByteWindow(maxCalls);
  }

  async put(token: string, owner: string, snapshot: Uint8Array, ttlMs: number): Promise<boolean> {
    const ttl = toTtl(ttlMs);
    checkSnapshot(snapshot);
    return this.#snapshots.run(snapshot.length + token.length + RECORD_BYTES, () =>
      this.#ask(() => this.write(token, owner, snapshot, ttl)),
    );
  }

  async take(token: string, taker: string, { ttlMs, from }: TakeOptions): Promise<TakeResult> {
    const ttl = toTtl(ttlMs);
    return this.#ask(() => this.move(token, taker, ttl, from));
  }

  async claim(token: string, taker: string, ttlMs: number): Promise<boolean> {
    const ttl = toTtl(ttlMs);
    return this.#ask(() => this.confirm(token, taker, ttl));
  }

  async renew(tokens: readonly string[], owner: string, ttlMs: number): Promise<readonly string[]> {
    const ttl = toTtl(ttlMs);
    return this.#ask(() => this.extend(tokens, owner, ttl));
  }

  async forget(token: string, owner: string): Promise<void> {
    return this.#ask(() => this.remove(token, owner));
  }

  async announce(process: string, address: string, ttlMs: number): Promise<void> {
    const ttl = toTtl(ttlMs);
    return this.#ask(() => this.writeAddress(process, address, ttl));
  }

  async withdraw(process: string): Promise<void> {
    return this.#ask(() => this.removeAddress(process));
  }

  async locate(process: string): Promise<string | undefined> {
    return this.#ask(() => this.readAddress(process));
  }

  async secret(): Promise<string> {
    return this.#ask(() => this.readSecret());
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.end();
  }

  // Each does what the public method of the same parameters promises. `ttl` is an integer above 0.
  protected abstract write(token: string, owner: string, snapshot: Uint8Array, ttl: number): Promise<boolean>;
  protected abstract move(token: string, taker: string, ttl: number, from: string | undefined): Promise<TakeResult>;
  protected abstract confirm(token: string, taker: string, ttl: number): Promise<boolean>;
  protected abstract extend(tokens: readonly string[], owner: string, ttl: number): Promise<readonly string[]>;
  protected abstract remove(token: string, owner: string): Promise<void>;
  protected abstract writeAddress(process: string, address: string, ttl: number): Promise<void>;
  protected abstract removeAddress(process: string): Promise<void>;
  protected abstract readAddress(process: string): Promise<string | undefined>;
  protected abstract readSecret(): Promise<string>;
  /** Ends everything; what is under way rejects. Called once. */
  protected abstract end(): Promise<void>;

  /** The first attempt to connect, while it is under way. */
  protected connecting(): Promise<void> | undefined {
    return undefined;
  }

  /** Runs `run` when it is its turn, at once if there is a connection. Rejects with BACKPLANE_UNAVAILABLE. */
  #ask<T>(run: () => Promise<T>): Promise<T> {
    return this.#calls.run(1, async () => {
      if (this.#isClosed) throw unavailable("closed");
      const connecting = this.connecting();
      if (connecting !== undefined) await connecting;
      return orUnavailable(run);
    });
  }
}
