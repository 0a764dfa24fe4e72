// The reading side of the Redis backplane: one XREAD over the streams of all subscribed groups, blocking on a connection
// of its own. Ids say where to go on after a lost connection. The numbers in the messages say whether one is missing; what
// numbers cannot show, a server that was emptied or replaced, is looked for every two seconds and on each new connection.

import { randomUUID } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import type { BackplaneListener } from "../backplane.ts";
import { BEGINNING, compareStreamIds, nextStreamId } from "../stream-ids.ts";
import { isReplyError, type RedisLink } from "./connection.ts";
import { MIN_TTL_MS, type Position, raiseIds, readPositions, readServer, type ServerFacts } from "./scripts.ts";
import { isMark, MARK, messageOf, millisecondsOf, type RawEntry, type StreamMessage, streamsOf } from "./stream.ts";

interface Subscription {
  readonly key: string;
  readonly counterKey: string;
  readonly listener: BackplaneListener;
  readonly addedAt: number;
  /** Everything up to here was delivered. */
  last: string;
  /** The number of the last message; 0 when there was none; undefined when it is not known. */
  number: number | undefined;
}

export interface RedisReaderOptions {
  readonly clock: Clock;
  /** A stream that only this process reads; any entry in it wakes the reader. */
  readonly wakeKey: string;
  /** A key that is lost with everything else, and never otherwise. */
  readonly generationKey: string;
  /** The server has lost what it had. */
  readonly onEmptied: () => void;
  readonly onError: (error: unknown) => void;
}

/** How long one XREAD blocks, and how often it is looked whether the server is the one that was read before. */
export const BLOCK_MS = 2000;
/** A stream is never trimmed to fewer entries: who reads fewer than these at once cannot have been overtaken. */
export const MIN_KEPT = 128;
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
  #server: ServerFacts | undefined;
  #mustVerify = true;
  #checkedAt = 0;
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

  /** Reads the stream from `position` on; `wake` (or an entry in the wake stream, when it blocks) makes it begin. */
  add(key: string, counterKey: string, listener: BackplaneListener, { lastId, number }: Position): void {
    const now = this.#options.clock.now();
    if (this.#subscriptions.size === 0) this.#readAt = now;
    // Without a stream and without a counter nothing was published: the first message is the first one of a counter.
    const known = number ?? (lastId === BEGINNING ? 0 : undefined);
    this.#subscriptions.set(key, { key, counterKey, listener, addedAt: now, last: lastId, number: known });
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
        else if (this.#mustVerify || (await this.#isAnotherServer())) await this.#verifyAll();
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

  /** Asks from time to time: a server may be emptied, or be replaced behind the client, while the connection stays. */
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
    // Long enough for a stream to have expired while this process did not run: it is read again, with more care.
    if (now - this.#readAt > MIN_TTL_MS / 2) return this.verify();
    this.#readAt = now;
    this.#sliceStart = performance.now();
    for (const [key, entries] of streamsOf(reply)) {
      if (key === this.#options.wakeKey) this.#wakeId = String(entries.at(-1)?.[0]);
      const subscription = this.#subscriptions.get(key);
      if (subscription !== undefined) await this.#deliver(subscription, entries, false);
      // The server may have lost more than this group: all are looked at before anything newer is delivered.
      if (this.#mustVerify) return;
    }
  }

  /** After a new connection: is the server still the one that was read, and is all there that comes next? */
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
      // The positions before the XREAD, on the same connection: what they count must be in its reply.
      const [{ nowMs, positions }, reply] = await Promise.all([
        readPositions(this.#link, chunk),
        this.#link.send([
          ...["XREAD", "COUNT", limit, "STREAMS"],
          ...chunk.map(({ key }) => key),
          ...chunk.map(({ last }) => last),
        ]),
      ]);
      this.#sliceStart = performance.now();
      const found = new Map(streamsOf(reply));
      for (const [n, subscription] of chunk.entries()) {
        const entries = found.get(subscription.key) ?? [];
        const position = positions[n]!;
        const awayMs = now - Math.max(this.#readAt, subscription.addedAt);
        const isLost = isEmptied || isReplaced || isMissing(subscription, position, entries.length > 0, nowMs, awayMs);
        if (isLost) await this.#tellGap(subscription, position, entries.length > 0);
        await this.#deliver(subscription, entries, true);
      }
    }
    this.#server = server;
    this.#checkedAt = now;
    this.#readAt = now;
    if (isEmptied) onEmptied();
  }

  /** With a new generation each time: this process may be the one that finds it gone. */
  #readServer(): Promise<ServerFacts> {
    return readServer(this.#link, this.#options.generationKey, randomUUID());
  }

  async #tellGap(subscription: Subscription, { lastId, number }: Position, hasEntries: boolean): Promise<void> {
    const { key, last } = subscription;
    // The first entry of the reply says where the numbers go on.
    subscription.number = hasEntries ? undefined : (number ?? (lastId === BEGINNING ? 0 : undefined));
    if (last !== BEGINNING && compareStreamIds(lastId, last) < 0) {
      await raiseIds(this.#link, key, nextStreamId(last), MARK);
    }
    if (this.#subscriptions.get(key) === subscription) subscription.listener.gap();
  }

  /** Up to the first entry that is not the next one, unless the server was looked at just before. */
  async #deliver(subscription: Subscription, entries: readonly RawEntry[], isVerified: boolean): Promise<void> {
    const { key, listener } = subscription;
    for (const [rawId, fields] of entries) {
      // Gone, or another subscription of the same group, in the middle of it.
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

  /** Entries of each stream in one reply, so that not all groups together fill the memory after a long absence. */
  #limit(): number {
    return Math.min(MIN_KEPT, Math.max(MIN_COUNT, Math.floor(MAX_ENTRIES / this.#subscriptions.size)));
  }
}

/** True if no message is missing between the last one and this one. */
function follows({ last, number }: Subscription, id: string, message: StreamMessage): boolean {
  if (number === undefined || message.number === undefined) return true;
  if (message.number === number + 1) return true;
  if (!message.isFirst) return false;
  // The keys have expired, after which nothing was missed.
  return number === 0 || millisecondsOf(id) - millisecondsOf(last) >= MIN_TTL_MS;
}

/** True if messages that came after the last one delivered are not there any more. */
function isMissing(
  { last, number }: Subscription,
  position: Position,
  hasEntries: boolean,
  nowMs: number,
  awayMs: number,
): boolean {
  const { lastId } = position;
  if (lastId === BEGINNING && position.number === undefined) {
    if (last === BEGINNING) return awayMs >= MIN_TTL_MS;
    // Both keys are gone: expired while nobody looked, or deleted before their time.
    return awayMs >= MIN_TTL_MS || nowMs - millisecondsOf(last) < MIN_TTL_MS;
  }
  if (lastId !== BEGINNING && compareStreamIds(lastId, last) < 0) return true;
  if (number === undefined || position.number === undefined) return false;
  // What follows in the reply shows by its own numbers whether it is the next.
  return hasEntries ? false : position.number !== number;
}
