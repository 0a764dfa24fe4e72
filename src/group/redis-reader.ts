// The reading side of the Redis backplane: one XREAD over the streams of all subscribed groups, blocking on a connection
// of its own. Ids say where to go on after a lost connection; XINFO STREAM says whether something is missing there.

import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import type { BackplaneListener } from "./backplane.ts";
import { isReplyError, type RedisLink } from "./redis-link.ts";
import {
  isMark,
  isMissing,
  MARK,
  millisecondsOf,
  payloadOf,
  type RawEntry,
  streamInfo,
  streamsOf,
} from "./redis-stream.ts";
import { BEGINNING, compareStreamIds, nextStreamId } from "./stream-ids.ts";

interface Subscription {
  readonly key: string;
  readonly listener: BackplaneListener;
  readonly addedAt: number;
  /** Everything up to here was delivered. */
  last: string;
  /** How many entries the stream had ever had with that one; undefined when it is not known. */
  count: number | undefined;
}

export interface RedisReaderOptions {
  readonly clock: Clock;
  /** A stream that only this process reads; any entry in it wakes the reader. */
  readonly wakeKey: string;
  /** A key that is lost with everything else, and never otherwise. */
  readonly generationKey: string;
  readonly onError: (error: unknown) => void;
}

/** How long one XREAD blocks. Only a limit on how long a dead connection goes unnoticed. */
export const BLOCK_MS = 5000;
/** A stream is never trimmed to fewer entries: who reads fewer than these at once cannot have been overtaken. */
export const MIN_KEPT = 128;
/** A stream lives at least so long after its last entry: who was away for less has missed none that expired. */
export const MIN_TTL_MS = 60_000;
/** Entries of one reply, over all groups, as far as `MIN_COUNT` leaves the choice. */
const MAX_ENTRIES = 4096;
const MIN_COUNT = 8;
/** Groups of one step when all are looked at. */
const CHUNK = 128;
/** Other connections get their turn when delivering takes longer. */
const SLICE_MS = 8;
const PAUSE_MS = 1000;

export class RedisReader {
  readonly #link: RedisLink;
  readonly #options: RedisReaderOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  #generation: string | undefined;
  #mustVerify = true;
  #readAt: number;
  #wakeId = BEGINNING;
  #isClosed = false;
  #resume: (() => void) | undefined;
  #sliceStart = 0;

  /** `link` is opened by the caller, who tells of each new connection with `verify`. */
  constructor(link: RedisLink, options: RedisReaderOptions) {
    this.#link = link;
    this.#options = options;
    this.#readAt = options.clock.now();
    void this.#run();
  }

  /** Reads the stream from `last` on; `wake` (or an entry in the wake stream, when it blocks) makes it begin. */
  add(key: string, listener: BackplaneListener, last: string, count: number): void {
    if (this.#subscriptions.size === 0) this.#readAt = this.#options.clock.now();
    this.#subscriptions.set(key, { key, listener, addedAt: this.#options.clock.now(), last, count });
    this.wake();
  }

  /** Nothing is delivered any more, not even what has arrived. */
  delete(key: string): void {
    this.#subscriptions.delete(key);
  }

  /** Looks at every stream before it goes on: the connection is a new one, or the server may have lost something. */
  verify(): void {
    this.#mustVerify = true;
    this.wake();
  }

  /** Goes on, if it waits for something to do. */
  wake(): void {
    this.#resume?.();
    this.#resume = undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.#subscriptions.clear();
    this.wake();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      try {
        if (!this.#link.isUp || (this.#subscriptions.size === 0 && !this.#mustVerify)) await this.#idle();
        else if (this.#mustVerify) await this.#verifyAll();
        else await this.#read();
      } catch (error) {
        this.#mustVerify = true;
        // The link tells of a lost connection, and of the next one.
        if (this.#isClosed || !this.#link.isUp) continue;
        if (isReplyError(error)) this.#options.onError(error);
        const timer = this.#options.clock.setTimer(() => this.wake(), PAUSE_MS);
        await this.#idle();
        this.#options.clock.clearTimer(timer);
      }
    }
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  async #read(): Promise<void> {
    const subscriptions = [...this.#subscriptions.values()];
    const limit = this.#limit();
    const reply = await this.#link.send([
      "XREAD",
      ...["COUNT", String(limit), "BLOCK", String(BLOCK_MS), "STREAMS", this.#options.wakeKey],
      ...subscriptions.map(({ key }) => key),
      this.#wakeId,
      ...subscriptions.map(({ last }) => last),
    ]);
    const now = this.#options.clock.now();
    // Long enough for a stream to have expired while this process did not run: it is read again, with more care.
    if (now - this.#readAt > MIN_TTL_MS / 2) return this.verify();
    this.#readAt = now;
    this.#sliceStart = performance.now();
    for (const [key, entries] of streamsOf(reply)) {
      if (key === this.#options.wakeKey) this.#wakeId = String(entries.at(-1)?.[0]);
      const subscription = this.#subscriptions.get(key);
      if (subscription === undefined || entries.length === 0) continue;
      const idleMs = millisecondsOf(String(entries[0]?.[0])) - millisecondsOf(subscription.last);
      // The stream may have expired and begun again, which is no loss; its count is.
      if (idleMs >= MIN_TTL_MS && subscription.last !== BEGINNING) subscription.count = undefined;
      // Full: there may be more behind than is kept, and then something between here and there is gone.
      if (entries.length >= limit) await this.#inspect(subscription, false, false);
      await this.#deliver(subscription, entries);
      if (subscription.count === undefined) await this.#recount(subscription);
    }
  }

  /** After a new connection: is each stream still the one that was read, and is all there that comes next? */
  async #verifyAll(): Promise<void> {
    this.#mustVerify = false;
    const now = this.#options.clock.now();
    const generation = await this.#readGeneration();
    const isEmptied = this.#generation !== undefined && this.#generation !== generation;
    if (isEmptied) this.#wakeId = BEGINNING;
    const all = [...this.#subscriptions.values()];
    const limit = String(this.#limit());
    for (let i = 0; i < all.length; i += CHUNK) {
      const chunk = all.slice(i, i + CHUNK);
      const reading = this.#link.send([
        ...["XREAD", "COUNT", limit, "STREAMS"],
        ...chunk.map(({ key }) => key),
        ...chunk.map(({ last }) => last),
      ]);
      // After the XREAD on the same connection: what is missing in its reply shows here.
      const inspecting = Promise.all(
        chunk.map((subscription) =>
          this.#inspect(subscription, now - Math.max(this.#readAt, subscription.addedAt) >= MIN_TTL_MS, isEmptied),
        ),
      );
      const [reply] = await Promise.all([reading, inspecting]);
      this.#sliceStart = performance.now();
      for (const [key, entries] of streamsOf(reply)) {
        const subscription = this.#subscriptions.get(key);
        if (subscription !== undefined) await this.#deliver(subscription, entries);
      }
    }
    this.#generation = generation;
    this.#readAt = now;
  }

  /** Another one than before: the server lost everything, restarted without its file, or is another one now. */
  async #readGeneration(): Promise<string> {
    const { generationKey } = this.#options;
    const [, found] = await Promise.all([
      // A new one each time: this process may be the one that finds it gone.
      this.#link.send(["SET", generationKey, randomUUID(), "NX"]),
      this.#link.send(["GET", generationKey]),
    ]);
    return String(found);
  }

  /** Tells the listener of a gap between what it has and what the stream now has. */
  async #inspect(subscription: Subscription, mayHaveExpired: boolean, isEmptied: boolean): Promise<void> {
    const { key, last } = subscription;
    const info = await streamInfo(this.#link, key);
    const isLost = isEmptied || (info === undefined ? mayHaveExpired : isMissing(info, last, subscription.count));
    if (isLost || info === undefined) subscription.count = last === BEGINNING ? 0 : undefined;
    if (!isLost) return;
    const isBehind = info === undefined || compareStreamIds(info.lastId, last) < 0;
    if (isBehind && last !== BEGINNING) await this.#raise(key, nextStreamId(last));
    if (this.#subscriptions.get(key) === subscription) subscription.listener.gap();
  }

  /** Lifts the ids of a stream that begins anew above those that were handed out, should the new server's clock be behind. */
  async #raise(key: string, id: string): Promise<void> {
    await Promise.all([
      this.#link.send(["XADD", key, id, MARK, ""]),
      this.#link.send(["XDEL", key, id]),
      this.#link.send(["PEXPIRE", key, String(MIN_TTL_MS)]),
    ]).catch((error: unknown) => {
      // An id that is too small: another process did it, or an entry with a higher id is there.
      if (!isReplyError(error)) throw error;
    });
  }

  /** Finds the place in the stream again, when nothing is behind. */
  async #recount(subscription: Subscription): Promise<void> {
    const info = await streamInfo(this.#link, subscription.key);
    if (info?.lastId === subscription.last) subscription.count = info.added;
  }

  async #deliver(subscription: Subscription, entries: readonly RawEntry[]): Promise<void> {
    const { key, listener } = subscription;
    for (const [rawId, fields] of entries) {
      // Gone, or another subscription of the same group, in the middle of it.
      if (this.#subscriptions.get(key) !== subscription) return;
      const id = String(rawId);
      if (compareStreamIds(id, subscription.last) <= 0) continue;
      subscription.last = id;
      if (subscription.count !== undefined) subscription.count += 1;
      const payload = payloadOf(fields);
      if (payload !== undefined) listener.entry({ id, payload });
      else if (!isMark(fields)) this.#options.onError(new ChannelError("BAD_DATA", `a foreign entry, ${id} in ${key}`));
    }
    if (performance.now() - this.#sliceStart < SLICE_MS) return;
    await new Promise(setImmediate);
    this.#sliceStart = performance.now();
  }

  /** Entries of each stream in one reply, so that not all groups together fill the memory after a long absence. */
  #limit(): number {
    return Math.min(MIN_KEPT, Math.max(MIN_COUNT, Math.floor(MAX_ENTRIES / this.#subscriptions.size)));
  }
}
