// A backplane inside one process: for tests, for several stores that share their groups, and as the simplest example of a
// backplane. The broker that they share is in `memory-broker.ts`.

import { copied } from "../base/bytes.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import type {
  Backplane,
  BackplaneEntry,
  BackplaneHistory,
  BackplaneKey,
  BackplaneListener,
  BackplaneMember,
  BackplaneRecords,
  HistoryLimits,
} from "./backplane.ts";
import { type BrokerEntry, MemoryBroker } from "./memory-broker.ts";

/** An id is the number of the entry. */
const ID_FORM = /^\d{1,15}$/;

/** A backplane in this process, for tests: stores that share a broker hear each other. */
export class MemoryBackplane implements Backplane {
  readonly #clock: Clock;
  readonly #broker: MemoryBroker;
  #isClosed = false;

  constructor(clock: Clock = systemClock, broker: MemoryBroker = new MemoryBroker(clock)) {
    this.#clock = clock;
    this.#broker = broker;
  }

  /** Returns another backplane on the same broker, as another process would have it. A store does not share its backplane. */
  share(): MemoryBackplane {
    return new MemoryBackplane(this.#clock, this.#broker);
  }

  async publish(group: string, payload: Uint8Array, keep: HistoryLimits): Promise<string> {
    this.#checkOpen();
    return String(this.#broker.append(group, payload, keep));
  }

  async publishLatest(group: string, payload: Uint8Array, keep: HistoryLimits, of: BackplaneKey): Promise<string> {
    this.#checkOpen();
    return String(this.#broker.appendValue(group, payload, keep, of));
  }

  async latest(group: string): Promise<readonly BackplaneEntry[]> {
    this.#checkOpen();
    return this.#broker.values(group).map(({ number, payload }) => ({ id: String(number), payload: copied(payload) }));
  }

  async subscribe(group: string, listener: BackplaneListener): Promise<string | undefined> {
    this.#checkOpen();
    this.#broker.subscribe(this, group, (entry) => listener.entry(toEntry(entry)));
    const last = this.#broker.lastNumber(group);
    return last === undefined ? undefined : String(last);
  }

  async unsubscribe(group: string): Promise<void> {
    this.#broker.unsubscribe(this, group);
  }

  async history(group: string, since?: string): Promise<BackplaneHistory> {
    this.#checkOpen();
    const { entries, reset } = this.#broker.history(group, since === undefined ? undefined : toNumber(since));
    return { entries: entries.map(toEntry), reset };
  }

  compareIds(a: string, b: string): number {
    return Number(a) - Number(b);
  }

  isId(text: string): boolean {
    return ID_FORM.test(text);
  }

  async enter(group: string, member: BackplaneMember): Promise<void> {
    this.#broker.enter(this, group, member);
  }

  release(group: string, key: string): string | undefined {
    return this.#broker.release(this, group, key) ? "" : undefined;
  }

  async leave(group: string, key: string): Promise<void> {
    this.#broker.leave(group, key);
  }

  async present(group: string): Promise<readonly BackplaneMember[]> {
    return this.#broker.present(group).map(({ key, payload }) => ({ key, payload }));
  }

  async readRecord(name: string): Promise<Uint8Array | undefined> {
    this.#checkOpen();
    const value = this.#broker.readRecord(name);
    return value === undefined ? undefined : copied(value);
  }

  async swapRecord(name: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    this.#checkOpen();
    return this.#broker.swapRecord(name, expected, next);
  }

  async listRecords(): Promise<BackplaneRecords> {
    this.#checkOpen();
    const records = this.#broker.listRecords().map(({ name, value }) => ({ name, value: copied(value) }));
    return { records, next: undefined };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#broker.drop(this);
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ChannelError("BACKPLANE_UNAVAILABLE", "it is closed");
  }
}

/** Returns NaN for a text that is not an id as this backplane writes it: it is unknown. */
function toNumber(id: string): number {
  return String(Number(id)) === id ? Number(id) : Number.NaN;
}

function toEntry({ number, payload }: BrokerEntry): BackplaneEntry {
  return { id: String(number), payload };
}
