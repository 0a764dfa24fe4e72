// A broker inside one process: the streams of groups with their histories, who is present, records and last values. Every call
// has happened when it returns, so what one caller does is in the order of its calls.

import { areEqual, copied } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { Queue } from "../base/queue.ts";
import type { BackplaneKey, BackplaneMember, HistoryLimits } from "./backplane.ts";

/** Number of messages after which all streams are searched for entries that are too old. */
const SWEEP_EVERY = 1000;

/** Time for which a member is listed that was released: that of the backplanes over brokers. */
const RELEASED_MS = 30_000;

/** Number of streams without entries, listeners and members whose last entry is remembered. */
const MAX_ENDED_STREAMS = 1000;

/** A message in a group's stream. One counter numbers the entries of all streams, so a stream that begins again repeats no number. */
export interface BrokerEntry {
  readonly number: number;
  readonly payload: Uint8Array;
}

/** Receives the entries of one group. Must not throw. */
export type EntryListener = (entry: BrokerEntry) => void;

/** Entries after a number, oldest first. */
export interface EntriesAfter {
  readonly entries: readonly BrokerEntry[];
  /** The number of the newest entry that may have followed and is not kept any more; undefined if none is missing. */
  readonly lostUpTo: number | undefined;
}

interface BrokerMember extends BackplaneMember {
  /** The client that has entered the member; undefined for a member that was released. */
  readonly of: object | undefined;
  /** Time at which it is not listed any more. */
  readonly untilMs: number;
}

interface Stream {
  readonly entries: Queue<BrokerEntry & { readonly atMs: number }>;
  /** Number of the last entry that was dropped: every entry after it is kept. */
  base: number | undefined;
  /** Number up to which entries of this group may have been lost before the stream began. */
  readonly lostBefore: number;
  keep: HistoryLimits;
  /** By client. */
  readonly listeners: Map<object, EntryListener>;
  readonly members: Map<string, BrokerMember>;
  /** True if some members were released. */
  hasReleased: boolean;
}

interface Values {
  /** The key with the oldest value first. */
  readonly byKey: Map<string, BrokerEntry>;
  untilMs: number;
}

/** The broker that several backplanes share. A client is any object: the one that it passes to each call. */
export class MemoryBroker {
  readonly #clock: Clock;
  readonly #streams = new Map<string, Stream>();
  readonly #records = new Map<string, Uint8Array>();
  readonly #values = new Map<string, Values>();
  /** The last dropped entry of streams that have ended, the stream that ended first at the front. */
  readonly #ended = new Map<string, number>();
  /** The newest of the last dropped entries that `#ended` has no room for. */
  #forgotten = 0;
  #count = 0;
  #isDelivering = false;
  readonly #undelivered = new Queue<{
    readonly entry: BrokerEntry;
    readonly stream: Stream;
    readonly clients: readonly object[];
  }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of the newest entry of all streams. */
  get count(): number {
    return this.#count;
  }

  /** Appends a copy of the payload. Returns the entry's number. */
  append(group: string, payload: Uint8Array, keep: HistoryLimits): number {
    return this.#append(group, { number: this.#count + 1, payload: copied(payload) }, keep);
  }

  /** Appends likewise, and makes the entry the value of its key, or removes that. */
  appendValue(group: string, payload: Uint8Array, keep: HistoryLimits, of: BackplaneKey): number {
    const entry = { number: this.#count + 1, payload: copied(payload) };
    const byKey = this.#values.get(group)?.byKey ?? new Map<string, BrokerEntry>();
    this.#values.set(group, { byKey, untilMs: this.#clock.now() + of.ttlMs });
    byKey.delete(of.key);
    if (!of.isRemoved) byKey.set(of.key, entry);
    for (const oldest of byKey.keys()) {
      if (byKey.size <= of.maxKeys) break;
      byKey.delete(oldest);
    }
    return this.#append(group, entry, keep);
  }

  /** Returns the value of each key. */
  values(group: string): readonly BrokerEntry[] {
    this.#expireValues(group);
    return [...(this.#values.get(group)?.byKey.values() ?? [])];
  }

  /** Returns the number of the last entry; undefined if there is none. */
  lastNumber(group: string): number | undefined {
    const stream = this.#streams.get(group);
    return stream?.entries.at(stream.entries.length - 1)?.number ?? stream?.base;
  }

  /** Delivers the entries that follow to the client. Replaces its earlier listener of the group. */
  subscribe(client: object, group: string, listener: EntryListener): void {
    this.#stream(group).listeners.set(client, listener);
  }

  unsubscribe(client: object, group: string): void {
    this.#streams.get(group)?.listeners.delete(client);
    this.#expire(group);
  }

  /** Returns all entries, or those after the entry of a number. `reset`: the stream has no such entry, and these are all. */
  history(group: string, since?: number): { readonly entries: readonly BrokerEntry[]; readonly reset: boolean } {
    this.#expire(group);
    const stream = this.#streams.get(group);
    if (since === undefined || stream === undefined)
      return { entries: this.#entries(stream), reset: since !== undefined };
    const from = firstAfter(stream.entries, since);
    const isKnown = since === stream.base || stream.entries.at(from - 1)?.number === since;
    return { entries: stream.entries.slice(isKnown ? from : 0), reset: !isKnown };
  }

  /** Returns the entries after a number, which need not be that of an entry of this group. */
  after(group: string, number: number): EntriesAfter {
    this.#expire(group);
    const stream = this.#streams.get(group);
    const dropped = stream === undefined ? this.#lastOfEnded(group) : Math.max(stream.base ?? 0, stream.lostBefore);
    return {
      entries: stream?.entries.slice(firstAfter(stream.entries, number)) ?? [],
      lostUpTo: dropped > number ? dropped : undefined,
    };
  }

  enter(client: object, group: string, { key, payload }: BackplaneMember): void {
    const member = { key, payload: copied(payload), of: client, untilMs: Number.POSITIVE_INFINITY };
    this.#stream(group).members.set(key, member);
  }

  /** Lets a member stay for a while, whatever becomes of its client. Returns false if it is not the client's. */
  release(client: object, group: string, key: string): boolean {
    const stream = this.#streams.get(group);
    const member = stream?.members.get(key);
    if (stream === undefined || member?.of !== client) return false;
    stream.members.set(key, { ...member, of: undefined, untilMs: this.#clock.now() + RELEASED_MS });
    stream.hasReleased = true;
    return true;
  }

  leave(group: string, key: string): void {
    this.#streams.get(group)?.members.delete(key);
    this.#expire(group);
  }

  present(group: string): readonly BackplaneMember[] {
    this.#expire(group);
    return [...(this.#streams.get(group)?.members.values() ?? [])];
  }

  readRecord(name: string): Uint8Array | undefined {
    return this.#records.get(name);
  }

  swapRecord(name: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): boolean {
    if (!areEqual(this.#records.get(name), expected)) return false;
    if (next === undefined) this.#records.delete(name);
    else this.#records.set(name, copied(next));
    return true;
  }

  listRecords(): readonly { readonly name: string; readonly value: Uint8Array }[] {
    return [...this.#records].map(([name, value]) => ({ name, value }));
  }

  /** Ends the subscriptions of a client, and removes the members that it has entered and not released. */
  drop(client: object): void {
    for (const [group, { listeners, members }] of [...this.#streams]) {
      listeners.delete(client);
      for (const [key, member] of members) if (member.of === client) members.delete(key);
      this.#expire(group);
    }
  }

  #append(group: string, { number, payload }: BrokerEntry, keep: HistoryLimits): number {
    this.#count = number;
    if (number % SWEEP_EVERY === 0) this.#sweep();
    const entry = { number, payload, atMs: this.#clock.now() };
    const stream = this.#stream(group);
    stream.keep = keep;
    stream.entries.push(entry);
    this.#undelivered.push({ entry, stream, clients: [...stream.listeners.keys()] });
    this.#expire(group);
    this.#deliver();
    return number;
  }

  #stream(group: string): Stream {
    let stream = this.#streams.get(group);
    if (stream === undefined) {
      const keep = { size: 0, ttlMs: 0 };
      const lostBefore = this.#lastOfEnded(group);
      stream = {
        ...{ entries: new Queue(), base: undefined, lostBefore, keep, listeners: new Map() },
        ...{ members: new Map(), hasReleased: false },
      };
      this.#streams.set(group, stream);
    }
    return stream;
  }

  #entries(stream: Stream | undefined): readonly BrokerEntry[] {
    return stream?.entries.slice() ?? [];
  }

  /** Drops the entries that are over the limits, and the stream if it is empty then. */
  #expire(group: string): void {
    const stream = this.#streams.get(group);
    if (stream === undefined) return;
    const { entries, keep, listeners, members } = stream;
    const oldest = this.#clock.now() - keep.ttlMs;
    while (entries.length > keep.size || (entries.length > 0 && entries.at(0)!.atMs <= oldest)) {
      stream.base = entries.shift()!.number;
    }
    if (stream.hasReleased) {
      for (const [key, { untilMs }] of members) if (untilMs <= this.#clock.now()) members.delete(key);
      stream.hasReleased = [...members.values()].some(({ of }) => of === undefined);
    }
    if (entries.length > 0 || listeners.size > 0 || members.size > 0) return;
    this.#streams.delete(group);
    if (stream.base !== undefined) this.#rememberEnded(group, stream.base);
  }

  #rememberEnded(group: string, base: number): void {
    // Deleted first, so that it becomes the last one.
    this.#ended.delete(group);
    this.#ended.set(group, base);
    if (this.#ended.size <= MAX_ENDED_STREAMS) return;
    const [first, number] = this.#ended.entries().next().value!;
    this.#ended.delete(first);
    this.#forgotten = Math.max(this.#forgotten, number);
  }

  /** Returns the number of the last entry of a stream that has ended, or a later one. */
  #lastOfEnded(group: string): number {
    return this.#ended.get(group) ?? this.#forgotten;
  }

  #expireValues(group: string): void {
    if ((this.#values.get(group)?.untilMs ?? 0) <= this.#clock.now()) this.#values.delete(group);
  }

  #sweep(): void {
    for (const group of this.#streams.keys()) this.#expire(group);
    for (const group of this.#values.keys()) this.#expireValues(group);
  }

  /** Delivers one message at a time to all listeners: a message that a listener publishes is delivered after it. */
  #deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    for (let next = this.#undelivered.shift(); next !== undefined; next = this.#undelivered.shift()) {
      for (const client of next.clients) next.stream.listeners.get(client)?.(next.entry);
    }
    this.#isDelivering = false;
  }
}

/** Returns the index of the first entry after a number. Numbers grow, with holes. */
function firstAfter(entries: Queue<BrokerEntry>, number: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries.at(middle)!.number <= number) low = middle + 1;
    else high = middle;
  }
  return low;
}
