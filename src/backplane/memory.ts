// A backplane inside one process: for tests, for several stores that share their groups, and as the simplest example of a
// backplane.

import { areEqual, copied } from "../base/bytes.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import { Queue } from "../base/queue.ts";
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

/** One counter gives the ids of all streams, so a stream that was dropped and created again never repeats an id. */
const ID_FORM = /^\d{1,15}$/;

/** Number of messages after which all streams are searched for entries that are too old. */
const SWEEP_EVERY = 1000;

interface MemoryMember extends BackplaneMember {
  /** Undefined for a member that was released. */
  readonly of: MemoryBackplane | undefined;
  /** Time at which it is not listed any more. */
  readonly untilMs: number;
}

/** Time for which a member is listed that was released: that of the backplanes over brokers. */
const RELEASED_MS = 30_000;

interface Stream {
  readonly entries: Queue<BackplaneEntry & { readonly atMs: number }>;
  /** Id of the last entry that was dropped: every entry after it is kept. */
  base: string | undefined;
  keep: HistoryLimits;
  readonly listeners: Map<MemoryBackplane, BackplaneListener>;
  readonly members: Map<string, MemoryMember>;
  /** True if some members were released. */
  hasReleased: boolean;
}

/** The broker that several MemoryBackplanes share. */
class MemoryBroker {
  readonly clock: Clock;
  readonly streams: Map<string, Stream> = new Map();
  readonly records: Map<string, Uint8Array> = new Map();
  /** The last values of groups, by their keys: the key with the oldest value first. */
  readonly values: Map<string, { readonly byKey: Map<string, BackplaneEntry>; untilMs: number }> = new Map();
  count = 0;
  #isDelivering = false;
  readonly #undelivered: Queue<{
    readonly entry: BackplaneEntry;
    readonly listeners: readonly [MemoryBackplane, Stream][];
  }> = new Queue();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  stream(group: string): Stream {
    let stream = this.streams.get(group);
    if (stream === undefined) {
      const keep = { size: 0, ttlMs: 0 };
      stream = {
        ...{ entries: new Queue(), base: undefined, keep, listeners: new Map() },
        ...{ members: new Map(), hasReleased: false },
      };
      this.streams.set(group, stream);
    }
    return stream;
  }

  /** The id of the entry that is appended next. */
  get nextId(): string {
    return String(this.count + 1);
  }

  append(group: string, payload: Uint8Array, keep: HistoryLimits): string {
    this.count += 1;
    if (this.count % SWEEP_EVERY === 0) for (const name of this.streams.keys()) this.expire(name);
    const entry = { id: String(this.count), payload: copied(payload), atMs: this.clock.now() };
    const stream = this.stream(group);
    stream.keep = keep;
    stream.entries.push(entry);
    this.#undelivered.push({ entry, listeners: [...stream.listeners.keys()].map((of) => [of, stream]) });
    this.expire(group);
    this.#deliver();
    return entry.id;
  }

  /** Drops the entries that are over the limits, and the stream if it is empty then. */
  expire(group: string): void {
    const stream = this.streams.get(group);
    if (stream === undefined) return;
    const { entries, keep, listeners, members } = stream;
    const oldest = this.clock.now() - keep.ttlMs;
    while (entries.length > keep.size || (entries.length > 0 && entries.at(0)!.atMs <= oldest)) {
      stream.base = entries.shift()!.id;
    }
    if (stream.hasReleased) {
      for (const [key, { untilMs }] of members) if (untilMs <= this.clock.now()) members.delete(key);
      stream.hasReleased = [...members.values()].some(({ of }) => of === undefined);
    }
    if (entries.length > 0 || listeners.size > 0 || members.size > 0) return;
    this.streams.delete(group);
  }

  /** Delivers one message at a time to all listeners: a message that a listener publishes is delivered after it. */
  #deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    for (let next = this.#undelivered.shift(); next !== undefined; next = this.#undelivered.shift()) {
      for (const [backplane, stream] of next.listeners) stream.listeners.get(backplane)?.entry(next.entry);
    }
    this.#isDelivering = false;
  }
}

/** A backplane in this process, for tests: stores that share a broker hear each other. */
export class MemoryBackplane implements Backplane {
  readonly #broker: MemoryBroker;
  #isClosed = false;

  constructor(clock: Clock = systemClock, broker: MemoryBroker = new MemoryBroker(clock)) {
    this.#broker = broker;
  }

  /** Returns another backplane on the same broker, as another process would have it. A store does not share its backplane. */
  share(): MemoryBackplane {
    return new MemoryBackplane(this.#broker.clock, this.#broker);
  }

  async publish(group: string, payload: Uint8Array, keep: HistoryLimits): Promise<string> {
    this.#checkOpen();
    return this.#broker.append(group, payload, keep);
  }

  async publishLatest(group: string, payload: Uint8Array, keep: HistoryLimits, of: BackplaneKey): Promise<string> {
    this.#checkOpen();
    const { values, clock } = this.#broker;
    const { byKey } = values.get(group) ?? { byKey: new Map<string, BackplaneEntry>() };
    values.set(group, { byKey, untilMs: clock.now() + of.ttlMs });
    const entry = { id: this.#broker.nextId, payload: copied(payload) };
    byKey.delete(of.key);
    if (!of.isRemoved) byKey.set(of.key, entry);
    while (byKey.size > of.maxKeys) byKey.delete([...byKey.keys()][0]!);
    return this.#broker.append(group, payload, keep);
  }

  async latest(group: string): Promise<readonly BackplaneEntry[]> {
    this.#checkOpen();
    const { values, clock } = this.#broker;
    const { byKey, untilMs } = values.get(group) ?? { byKey: new Map<string, BackplaneEntry>(), untilMs: 0 };
    if (untilMs <= clock.now()) values.delete(group);
    return untilMs <= clock.now()
      ? []
      : [...byKey.values()].map(({ id, payload }) => ({ id, payload: copied(payload) }));
  }

  async subscribe(group: string, listener: BackplaneListener): Promise<string | undefined> {
    this.#checkOpen();
    const { listeners, entries, base } = this.#broker.stream(group);
    listeners.set(this, listener);
    return entries.at(entries.length - 1)?.id ?? base;
  }

  async unsubscribe(group: string): Promise<void> {
    this.#broker.streams.get(group)?.listeners.delete(this);
    this.#broker.expire(group);
  }

  async history(group: string, since?: string): Promise<BackplaneHistory> {
    this.#checkOpen();
    this.#broker.expire(group);
    const stream = this.#broker.streams.get(group);
    const kept = stream?.entries.slice() ?? [];
    const isAll = since === undefined || since === stream?.base;
    const found = isAll ? 0 : kept.findIndex(({ id }) => id === since) + 1;
    return { entries: kept.slice(found), reset: !isAll && found === 0 };
  }

  compareIds(a: string, b: string): number {
    return Number(a) - Number(b);
  }

  isId(text: string): boolean {
    return ID_FORM.test(text);
  }

  async enter(group: string, { key, payload }: BackplaneMember): Promise<void> {
    const member = { key, payload: new Uint8Array(payload), of: this, untilMs: Number.POSITIVE_INFINITY };
    this.#broker.stream(group).members.set(key, member);
  }

  release(group: string, key: string): string | undefined {
    const stream = this.#broker.streams.get(group);
    const member = stream?.members.get(key);
    if (stream === undefined || member?.of !== this) return undefined;
    stream.members.set(key, { ...member, of: undefined, untilMs: this.#broker.clock.now() + RELEASED_MS });
    stream.hasReleased = true;
    return "";
  }

  async leave(group: string, key: string): Promise<void> {
    this.#broker.streams.get(group)?.members.delete(key);
    this.#broker.expire(group);
  }

  async present(group: string): Promise<readonly BackplaneMember[]> {
    this.#broker.expire(group);
    const members = [...(this.#broker.streams.get(group)?.members.values() ?? [])];
    return members.map(({ key, payload }) => ({ key, payload }));
  }

  async readRecord(name: string): Promise<Uint8Array | undefined> {
    this.#checkOpen();
    const value = this.#broker.records.get(name);
    return value === undefined ? undefined : copied(value);
  }

  async swapRecord(name: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    this.#checkOpen();
    const { records } = this.#broker;
    if (!areEqual(records.get(name), expected)) return false;
    if (next === undefined) records.delete(name);
    else records.set(name, copied(next));
    return true;
  }

  async listRecords(): Promise<BackplaneRecords> {
    this.#checkOpen();
    const records = [...this.#broker.records].map(([name, value]) => ({ name, value: copied(value) }));
    return { records, next: undefined };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const [group, { listeners, members }] of [...this.#broker.streams]) {
      listeners.delete(this);
      for (const [key, member] of members) if (member.of === this) members.delete(key);
      this.#broker.expire(group);
    }
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ChannelError("BACKPLANE_UNAVAILABLE", "it is closed");
  }
}
