// The code that backplanes over brokers share: one subscription of a group at a time, one error code, and closing.

import type {
  Backplane,
  BackplaneHistory,
  BackplaneListener,
  BackplaneMember,
  BackplaneRecords,
  HistoryLimits,
} from "./backplane.ts";
import { orUnavailable, unavailable } from "./unavailable.ts";

/** The records of the service, each method as in `Backplane`. */
export interface BrokerRecords {
  read(name: string): Promise<Uint8Array | undefined>;
  swap(name: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean>;
  list(from: string | undefined): Promise<BackplaneRecords>;
}

export abstract class BrokerBackplane implements Backplane {
  /** Subscriptions, from the call of `subscribe` on. Each has its own object, so an ended one differs from the next of its group. */
  readonly #subscribed = new Map<string, object>();
  #isClosed = false;

  abstract publish(group: string, payload: Uint8Array, keep: HistoryLimits): Promise<string>;
  abstract history(group: string, since?: string): Promise<BackplaneHistory>;
  abstract compareIds(a: string, b: string): number;
  abstract isId(text: string): boolean;

  protected abstract readonly presence: Pick<Backplane, "enter" | "leave" | "present"> & {
    release(group: string, key: string): string | undefined;
  };
  protected abstract readonly records: BrokerRecords;
  /** Begins the delivery, unless the subscription has ended by then. Resolves like `subscribe`. */
  protected abstract read(
    group: string,
    listener: BackplaneListener,
    isWanted: () => boolean,
  ): Promise<string | undefined>;
  /** Delivers nothing more of the group. */
  protected abstract stopReading(group: string): void;
  /** Ends everything. Called once. */
  protected abstract end(): Promise<void>;

  protected get isClosed(): boolean {
    return this.#isClosed;
  }

  async subscribe(group: string, listener: BackplaneListener): Promise<string | undefined> {
    const subscription = {};
    this.#subscribed.set(group, subscription);
    const isWanted = (): boolean => this.#subscribed.get(group) === subscription;
    try {
      return await this.ask(() => this.read(group, listener, isWanted));
    } catch (error) {
      if (isWanted()) this.#subscribed.delete(group);
      throw error;
    }
  }

  async unsubscribe(group: string): Promise<void> {
    this.#subscribed.delete(group);
    this.stopReading(group);
  }

  enter(group: string, member: BackplaneMember, from?: string): Promise<void> {
    return this.ask(() => this.presence.enter(group, member, from));
  }

  release(group: string, key: string): string | undefined {
    return this.presence.release(group, key);
  }

  leave(group: string, key: string): Promise<void> {
    return this.ask(() => this.presence.leave(group, key));
  }

  present(group: string): Promise<readonly BackplaneMember[]> {
    return this.ask(() => this.presence.present(group));
  }

  readRecord(name: string): Promise<Uint8Array | undefined> {
    return this.ask(() => this.records.read(name));
  }

  swapRecord(name: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    return this.ask(() => this.records.swap(name, expected, next));
  }

  listRecords(from?: string): Promise<BackplaneRecords> {
    return this.ask(() => this.records.list(from));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#subscribed.clear();
    await this.end();
  }

  /** Runs `run`, at once if there is a connection. Rejects with BACKPLANE_UNAVAILABLE. */
  protected async ask<T>(run: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw unavailable("closed");
    const connecting = this.connecting();
    if (connecting !== undefined) await connecting;
    return orUnavailable(run);
  }

  /** The first attempt to connect, while it is under way. */
  protected connecting(): Promise<void> | undefined {
    return undefined;
  }
}
