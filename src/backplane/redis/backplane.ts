// The backplane over Redis 7 or Valkey. One stream per group carries its messages and keeps them. A process has two connections
// of its own, for any number of groups: one publishes and asks, the other waits for entries.

import { randomUUID } from "node:crypto";
import { type Clock, systemClock, type Timer } from "../../base/clock.ts";
import { checkOptions, type ValueCheck } from "../../base/option-values.ts";
import type {
  Backplane,
  BackplaneEntry,
  BackplaneHistory,
  BackplaneKey,
  BackplaneListener,
  HistoryLimits,
} from "../backplane.ts";
import { BrokerBackplane } from "../broker-backplane.ts";
import { BROKER_OPTIONS, type BrokerOptions, toBrokerSettings } from "../options.ts";
import { BEGINNING, compareStreamIds, isStreamId } from "../stream-ids.ts";
import { checkRedisClient, type RedisClient } from "./client.ts";
import { RedisLink } from "./connection.ts";
import { checkPrefix, RedisKeys } from "./keys.ts";
import { RedisPresence } from "./presence.ts";
import { BLOCK_MS, MIN_KEPT, RedisReader } from "./reader.ts";
import { RedisRecords } from "./records.ts";
import {
  MAX_TTL_MS,
  MIN_TTL_MS,
  type PublishLimits,
  publishMessage,
  publishValue,
  readPositions,
  type StreamPosition,
} from "./scripts.ts";
import { messageOf, type RawEntry } from "./stream.ts";

/** The options of `redisBackplane`. */
export interface RedisBackplaneOptions extends BrokerOptions {
  /**
   * Prefix of all keys, in braces: one hash tag, so that a Redis Cluster keeps all of them in one slot.
   * @default "unichannel"
   */
  readonly prefix?: string | undefined;
}

const REDIS_OPTIONS: Readonly<Record<keyof RedisBackplaneOptions, ValueCheck>> = {
  ...BROKER_OPTIONS,
  prefix: checkPrefix,
};

/** A stream is trimmed by time, and its expiry renewed, at most once in this fraction of its ttl. */
const TRIM_PART = 8;
/** Number of groups whose last trim is remembered. */
const MAX_TRIM_TIMES = 10_000;

/**
 * A backplane over Redis 7 or Valkey. `client` is a client of node-redis (4 to 6), ioredis or iovalkey. Only duplicates of it
 * are used: its own connection, queue and retries do not matter, and it stays yours.
 */
export function redisBackplane(client: RedisClient, options: RedisBackplaneOptions = {}): Backplane {
  return new RedisBackplane(client, options, systemClock);
}

class RedisBackplane extends BrokerBackplane {
  protected readonly presence: RedisPresence;
  protected readonly records: RedisRecords;
  readonly #clock: Clock;
  readonly #keys: RedisKeys;
  readonly #writer: RedisLink;
  readonly #readerLink: RedisLink;
  readonly #reader: RedisReader;
  readonly #wakeKey: string;
  /** Time at which the stream of a group is trimmed next. */
  readonly #trimAt = new Map<string, number>();
  #willWake: Timer;

  constructor(client: RedisClient, options: RedisBackplaneOptions, clock: Clock) {
    super();
    checkOptions("redisBackplane", options, REDIS_OPTIONS);
    checkRedisClient("redisBackplane", client);
    const { prefix = "unichannel" } = options;
    const { timeoutMs, maxPendingBytes, aliveMs, onError } = toBrokerSettings(options, "unichannel/redis");
    const processId = randomUUID();
    this.#clock = clock;
    this.#keys = new RedisKeys(prefix);
    this.#wakeKey = this.#keys.process(processId);
    const announce = (): void => {
      // The server may be another one, or may have lost its data: no expiry is known to be set.
      this.#trimAt.clear();
      if (!this.isClosed) this.presence.announceAgain();
    };
    this.#writer = new RedisLink(client, { clock, timeoutMs, maxPendingBytes, onError, onUp: announce });
    this.presence = new RedisPresence(this.#writer, this.#keys, {
      ...{ clock, processId, aliveMs, onError },
      onForgotten: () => {
        this.#trimAt.clear();
        this.#reader.verify();
      },
    });
    this.records = new RedisRecords(this.#writer, this.#keys);
    this.#readerLink = new RedisLink(client, {
      ...{ clock, maxPendingBytes },
      timeoutMs: timeoutMs + BLOCK_MS,
      onUp: () => this.#reader.verify(),
      // Both connections are lost together; one of them reports it.
      onError: () => {},
    });
    this.#reader = new RedisReader(this.#readerLink, {
      ...{ clock, wakeKey: this.#wakeKey, onError },
      generationKey: this.#keys.generation,
      onEmptied: announce,
    });
  }

  publish(group: string, payload: Uint8Array, keep: HistoryLimits): Promise<string> {
    return this.#append(group, keep, (limits) =>
      publishMessage(this.#writer, this.#keys.stream(group), this.#keys.counter(group), payload, limits),
    );
  }

  publishLatest(group: string, payload: Uint8Array, keep: HistoryLimits, of: BackplaneKey): Promise<string> {
    const keys = this.#keys;
    const names = [keys.stream(group), keys.counter(group), keys.values(group), keys.valueOrder(group)] as const;
    return this.#append(group, keep, (limits) => publishValue(this.#writer, names, payload, { limits, of }));
  }

  async latest(group: string): Promise<readonly BackplaneEntry[]> {
    const reply = await this.ask(() => this.#writer.send(["HVALS", this.#keys.values(group)]));
    return (reply as readonly Buffer[]).flatMap((value) => {
      const space = value.indexOf(" ");
      const id = value.toString("latin1", 0, Math.max(space, 0));
      return isStreamId(id) ? [{ id, payload: value.subarray(space + 1) }] : [];
    });
  }

  async #append(
    group: string,
    { size, ttlMs }: HistoryLimits,
    send: (limits: PublishLimits) => Promise<string>,
  ): Promise<string> {
    const isDue = ttlMs <= MAX_TTL_MS && this.#isTrimDue(group, ttlMs);
    const limits = {
      size: Math.max(size, MIN_KEPT),
      expiry: isDue ? { ttlMs: Math.max(2 * ttlMs, MIN_TTL_MS), oldestMs: Math.max(ttlMs, MIN_TTL_MS) } : undefined,
    };
    try {
      return await this.ask(() => send(limits));
    } catch (error) {
      this.#trimAt.delete(group);
      throw error;
    }
  }

  async history(group: string, since?: string): Promise<BackplaneHistory> {
    if (since === undefined) return { entries: (await this.#range(group)).entries, reset: false };
    if (isStreamId(since)) {
      // Reads from `since` itself on: if that entry is kept, the numbers of later ones show whether one is missing.
      const { entries, isWhole } = await this.#range(group, since);
      if (entries[0]?.id === since && isWhole) return { entries: entries.slice(1), reset: false };
      // If it is the last entry that was ever added, none followed.
      const { lastId } = await this.#position(group);
      if (lastId === since) return { entries: [], reset: false };
    }
    return { entries: (await this.#range(group)).entries, reset: true };
  }

  compareIds(a: string, b: string): number {
    return compareStreamIds(a, b);
  }

  isId(text: string): boolean {
    return isStreamId(text);
  }

  protected async read(
    group: string,
    listener: BackplaneListener,
    isWanted: () => boolean,
  ): Promise<string | undefined> {
    const position = await this.#position(group);
    if (isWanted()) {
      this.#reader.add(this.#keys.stream(group), this.#keys.counter(group), listener, position);
      this.#wakeLater();
    }
    return position.lastId === BEGINNING ? undefined : position.lastId;
  }

  protected stopReading(group: string): void {
    this.#reader.delete(this.#keys.stream(group));
  }

  protected async end(): Promise<void> {
    this.#reader.close();
    this.#readerLink.close();
    this.#clock.clearTimer(this.#willWake);
    await this.presence.close();
    this.#writer.close();
  }

  protected override connecting(): Promise<void> | undefined {
    return this.#writer.isUp ? undefined : this.#writer.firstAttempt;
  }

  async #position(group: string): Promise<StreamPosition> {
    const key = this.#keys.stream(group);
    const counterKey = this.#keys.counter(group);
    const { positions } = await this.ask(() => readPositions(this.#writer, [{ key, counterKey }]));
    return positions[0]!;
  }

  /** `isWhole`: no entry is missing between the first and the last. */
  async #range(
    group: string,
    from = "-",
  ): Promise<{ readonly entries: readonly BackplaneEntry[]; readonly isWhole: boolean }> {
    const reply = (await this.ask(() =>
      this.#writer.send(["XRANGE", this.#keys.stream(group), from, "+"]),
    )) as readonly RawEntry[];
    const entries: BackplaneEntry[] = [];
    let isWhole = true;
    let last: number | undefined;
    for (const [id, fields] of reply) {
      const message = messageOf(fields);
      if (message === undefined) continue;
      if (last !== undefined && message.number !== undefined && message.number !== last + 1) isWhole = false;
      last = message.number;
      entries.push({ id: String(id), payload: message.payload });
    }
    return { entries, isWhole };
  }

  /**
   * Adds one entry to the wake stream for all groups that are subscribed in this turn: the blocked XREAD names only the older
   * ones.
   */
  #wakeLater(): void {
    this.#willWake ??= this.#clock.setTimer(() => {
      this.#willWake = undefined;
      this.#writer.send(["XADD", this.#wakeKey, "NOMKSTREAM", "MAXLEN", "1", "*", "-", ""]).catch(() => {});
    }, 0);
  }

  #isTrimDue(group: string, ttlMs: number): boolean {
    const now = this.#clock.now();
    if ((this.#trimAt.get(group) ?? 0) > now) return false;
    if (this.#trimAt.size >= MAX_TRIM_TIMES) this.#trimAt.clear();
    this.#trimAt.set(group, now + Math.max(ttlMs, MIN_TTL_MS) / TRIM_PART);
    return true;
  }
}
