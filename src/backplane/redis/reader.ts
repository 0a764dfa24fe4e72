// The reading side of the Redis backplane: one XREAD over the streams of all subscribed groups, blocking on a connection of its
// own. Ids tell where to go on after a lost connection, and the numbers in the messages tell whether one is missing. Every
// two seconds, and on each new connection, the server is asked whether it was emptied or replaced.

import { randomUUID } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import type { BackplaneListener } from "../backplane.ts";
import { BEGINNING, compareStreamIds, nextStreamId } from "../stream-ids.ts";
import { isReplyError, type RedisLink } from "./connection.ts";
import { MIN_TTL_MS, raiseIds, readPositions, readServer, type ServerFacts, type StreamPosition } from "./scripts.ts";
import { isMark, MARK, messageOf, millisecondsOf, type RawEntry, type StreamMessage, streamsOf } from "./stream.ts";

interface Subscription {
  readonly key: string;
  readonly counterKey: string;
  readonly listener: BackplaneListener;
  readonly addedAt: number;
  /** Id up to which all entries were delivered. */
  last: string;
  /** Number of the last message; 0 if there was none, undefined if it is not known. */
  number: number | undefined;
}

export interface RedisReaderOptions {
  readonly clock: Clock;
  /** Key of a stream that only this process reads; any entry in it wakes the reader. */
  readonly wakeKey: string;
  /** Key that is lost only with all other data. */
  readonly generationKey: string;
  /** Called when the server has lost its data. */
  readonly onEmptied: () => void;
  readonly onError: (error: unknown) => void;
}

/** A group's stream, as a new connection has found it. */
interface FoundStream {
  readonly position: StreamPosition;
  /** True if the stream has entries behind the last delivered one. */
  readonly hasEntries: boolean;
  /** The time of the server. */
  readonly nowMs: number;
  /** Time since the stream was read last. */
  readonly awayMs: number;
}

/** Time for which one XREAD blocks, and interval of the check whether the server is still the same. */
export const BLOCK_MS = 2000;
/** A stream is never trimmed to fewer entries: a reader that takes fewer than these at once cannot be overtaken. */
export const MIN_KEPT = 128;
/** Entries of one reply over all groups; each group gets at least `MIN_COUNT`. */
const MAX_ENTRIES = 4096;
const MIN_COUNT = 8;
/** Groups of one step when all groups are verified. */
const CHUNK = 128;
/** Time after which other connections get their turn while entries are delivered. */
const SLICE_MS = 8;
const PAUSE_MS = 1000;

export class RedisReader {
  readonly #link: RedisLink;
  readonly #options: RedisReaderOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  #server: ServerFacts | undefined;
  #mustVerify = true;
  #checkedAt = 0;
  #readAt: number;
  #wakeId = BEGINNING;
  #isClosed = false;
  #resume: (() => void) | undefined;
  #sliceStart = 0;

  /** The caller opens `link` and calls `verify` for each new connection. */
  constructor(link: RedisLink, options: RedisReaderOptions) {
    this.#link = link;
    this.#options = options;
    this.#readAt = options.clock.now();
    void this.#run();
  }

  /** Reads the stream from `position` on. If the reader blocks, `wake` or an entry in the wake stream makes it begin. */
  add(key: string, counterKey: string, listener: BackplaneListener, { lastId, number }: StreamPosition): void {
    const now = this.#options.clock.now();
    if (this.#subscriptions.size === 0) this.#readAt = now;
    // Without a stream and a counter nothing was published: the first message will be the first one of a counter.
    const known = number ?? (lastId === BEGINNING ? 0 : undefined);
    this.#subscriptions.set(key, { key, counterKey, listener, addedAt: now, last: lastId, number: known });
    this.wake();
  }

  /** Delivers nothing more, not even entries that have arrived. */
  delete(key: string): void {
    this.#subscriptions.delete(key);
  }

  /** Verifies every stream before reading goes on: the connection is new, or the server may have lost data. */
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
        else if (this.#mustVerify || (await this.#isAnotherServer())) await this.#verifyAll();
        else await this.#read();
      } catch (error) {
        this.#mustVerify = true;
        // The connection reports its loss, and tells of the next one.
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

  /** Asks from time to time: a server may be emptied, or replaced behind the client, while the connection stays. */
  async #isAnotherServer(): Promise<boolean> {
    const now = this.#options.clock.now();
    if (now - this.#checkedAt < BLOCK_MS) return false;
    this.#checkedAt = now;
    const { generation, runId } = await this.#readServer();
    return generation !== this.#server?.generation || runId !== this.#server.runId;
  }

  async #read(): Promise<void> {
    const subscriptions = [...this.#subscriptions.values()];
    const reply = await this.#link.send([
      "XREAD",
      ...["COUNT", String(this.#limit()), "BLOCK", String(BLOCK_MS), "STREAMS", this.#options.wakeKey],
      ...subscriptions.map(({ key }) => key),
      this.#wakeId,
      ...subscriptions.map(({ last }) => last),
    ]);
    const now = this.#options.clock.now();
    // A stream may have expired while this process did not run: it is verified.
    if (now - this.#readAt > MIN_TTL_MS / 2) return this.verify();
    this.#readAt = now;
    this.#sliceStart = performance.now();
    for (const [key, entries] of streamsOf(reply)) {
      if (key === this.#options.wakeKey) this.#wakeId = String(entries.at(-1)?.[0]);
      const subscription = this.#subscriptions.get(key);
      if (subscription !== undefined) await this.#deliver(subscription, entries, { isVerified: false });
      // The server may have lost more than this group: all groups are verified before anything newer is delivered.
      if (this.#mustVerify) return;
    }
  }

  /** Checks, after a new connection, that the server is still the same and that the next entries of all streams are there. */
  async #verifyAll(): Promise<void> {
    this.#mustVerify = false;
    const { clock, onEmptied } = this.#options;
    const now = clock.now();
    const before = this.#server;
    const server = await this.#readServer();
    const isEmptied = before !== undefined && before.generation !== server.generation;
    const isReplaced = before !== undefined && before.runId !== server.runId && server.mayLackWrites;
    if (isEmptied) this.#wakeId = BEGINNING;
    const all = [...this.#subscriptions.values()];
    const limit = String(this.#limit());
    for (let i = 0; i < all.length; i += CHUNK) {
      const chunk = all.slice(i, i + CHUNK);
      // The positions are read before the XREAD on the same connection: entries that they count must be in its reply.
      const [{ nowMs, positions }, reply] = await Promise.all([
        readPositions(this.#link, chunk),
        this.#link.send([
          ...["XREAD", "COUNT", limit, "STREAMS"],
          ...chunk.map(({ key }) => key),
          ...chunk.map(({ last }) => last),
        ]),
      ]);
      this.#sliceStart = performance.now();
      const streams = new Map(streamsOf(reply));
      for (const [n, subscription] of chunk.entries()) {
        const entries = streams.get(subscription.key) ?? [];
        const awayMs = now - Math.max(this.#readAt, subscription.addedAt);
        const found = { position: positions[n]!, hasEntries: entries.length > 0, nowMs, awayMs };
        if (isEmptied || isReplaced || isMissing(subscription, found)) await this.#tellGap(subscription, found);
        await this.#deliver(subscription, entries, { isVerified: true });
      }
    }
    this.#server = server;
    this.#checkedAt = now;
    this.#readAt = now;
    if (isEmptied) onEmptied();
  }

  /** Passes a new generation each time: this process may be the first to find that the server has lost the old one. */
  #readServer(): Promise<ServerFacts> {
    return readServer(this.#link, this.#options.generationKey, randomUUID());
  }

  async #tellGap(subscription: Subscription, { position, hasEntries }: FoundStream): Promise<void> {
    const { key, last } = subscription;
    const { lastId, number } = position;
    // The first entry of the reply tells where the numbers go on.
    subscription.number = hasEntries ? undefined : (number ?? (lastId === BEGINNING ? 0 : undefined));
    if (last !== BEGINNING && compareStreamIds(lastId, last) < 0) {
      await raiseIds(this.#link, key, nextStreamId(last), MARK);
    }
    if (this.#subscriptions.get(key) === subscription) subscription.listener.gap();
  }

  /** Delivers entries up to the first missing number; beyond it only if the server was verified just before. */
  async #deliver(
    subscription: Subscription,
    entries: readonly RawEntry[],
    { isVerified }: { readonly isVerified: boolean },
  ): Promise<void> {
    const { key, listener } = subscription;
    for (const [rawId, fields] of entries) {
      // The group was unsubscribed, or subscribed anew, by one of these calls.
      if (this.#subscriptions.get(key) !== subscription) return;
      const id = String(rawId);
      if (compareStreamIds(id, subscription.last) <= 0) continue;
      const message = messageOf(fields);
      if (message !== undefined) {
        const isNext = follows(subscription, id, message);
        if (!isNext && !isVerified) {
          this.#mustVerify = true;
          return;
        }
        subscription.number = message.number;
        if (!isNext) {
          listener.gap();
          if (this.#subscriptions.get(key) !== subscription) return;
        }
        subscription.last = id;
        listener.entry({ id, payload: message.payload });
        continue;
      }
      subscription.last = id;
      if (!isMark(fields)) this.#options.onError(new ChannelError("BAD_DATA", `a foreign entry, ${id} in ${key}`));
    }
    if (performance.now() - this.#sliceStart < SLICE_MS) return;
    await new Promise(setImmediate);
    this.#sliceStart = performance.now();
  }

  /** Entries of each stream in one reply: all groups together must not fill the memory after a long absence. */
  #limit(): number {
    return Math.min(MIN_KEPT, Math.max(MIN_COUNT, Math.floor(MAX_ENTRIES / this.#subscriptions.size)));
  }
}

/** Returns true if no message is missing between the last one and this one. */
function follows({ last, number }: Subscription, id: string, message: StreamMessage): boolean {
  if (number === undefined || message.number === undefined) return true;
  if (message.number === number + 1) return true;
  if (!message.isFirst) return false;
  // The keys have expired, and nothing was missed after that.
  return number === 0 || millisecondsOf(id) - millisecondsOf(last) >= MIN_TTL_MS;
}

/** Returns true if messages behind the last delivered one are lost. */
function isMissing({ last, number }: Subscription, { position, hasEntries, nowMs, awayMs }: FoundStream): boolean {
  const { lastId } = position;
  if (lastId === BEGINNING && position.number === undefined) {
    if (last === BEGINNING) return awayMs >= MIN_TTL_MS;
    // Both keys are gone: they have expired while no process read, or were deleted before.
    return awayMs >= MIN_TTL_MS || nowMs - millisecondsOf(last) < MIN_TTL_MS;
  }
  if (lastId !== BEGINNING && compareStreamIds(lastId, last) < 0) return true;
  if (number === undefined || position.number === undefined) return false;
  // The entries of the reply show by their own numbers whether they are the next ones.
  return hasEntries ? false : position.number !== number;
}
