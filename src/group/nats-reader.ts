// The reading side of the NATS backplane: one consumer of the whole message stream, of which a process picks its groups.
// The stream numbers all messages without holes, and the consumer numbers what it delivers: what is missing shows.
// Long because all of it is about the one consumer and its place in the stream.

import { randomUUID } from "node:crypto";
import type { Clock, Timer } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import type { BackplaneListener } from "./backplane.ts";
import type { NatsMessage } from "./nats-api.ts";
import type { NatsLink } from "./nats-link.ts";
import { NS_PER_MS, type Place, placeOf, toNatsId, unwrap } from "./nats-message.ts";
import type { NatsStreams } from "./nats-streams.ts";

interface Subscription {
  readonly listener: BackplaneListener;
  /** Everything up to here was delivered; -1 until it is known where to begin. */
  last: number;
  /** When the server stored the last message that is known of the group, in milliseconds; 0: none is. */
  lastAtMs: number;
  /** What came before it was known where to begin. */
  readonly early: NatsEntry[];
  /** No entry came since it was told of a gap. */
  isAtGap: boolean;
}

interface NatsEntry {
  readonly sequence: number;
  readonly payload: Uint8Array;
}

export interface NatsReaderOptions {
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

/** A consumer that says nothing for three of these is gone. */
const HEARTBEAT_MS = 1000;
/** Groups that are asked about at once. */
const CHUNK = 64;
/** Up to so many subjects the server is asked for all their counts. */
const MAX_COUNTS = 10_000;
/** Clocks of different machines differ, and a server lets go of what is too old a little late. */
const CLOCK_SLACK_MS = 2000;
const RETRY_MS = 500;
/** Other connections get their turn when delivering takes longer. */
const SLICE_MS = 8;

export class NatsReader {
  readonly #link: NatsLink;
  readonly #streams: NatsStreams;
  readonly #options: NatsReaderOptions;
  readonly #subscriptions = new Map<string, Subscription>();
  /** The consumer that is listened to; messages of older ones are dropped. */
  #consumer: { unsubscribe(): void } | undefined;
  #starting: Promise<void> | undefined;
  #mustRestart = false;
  /** Of the stream that was read last; 0: none was. */
  #version = 0;
  #sequence = 0;
  #consumed = 0;
  /** What the server says of its streams: one that is deleted, or made, is looked at at once. */
  #advisories: { unsubscribe(): void } | undefined;
  #readAt: number;
  #queue: NatsMessage[] = [];
  #isPumping = false;
  #retryTimer: Timer;
  #heartbeatTimer: Timer;
  #isClosed = false;

  constructor(link: NatsLink, streams: NatsStreams, options: NatsReaderOptions) {
    this.#link = link;
    this.#streams = streams;
    this.#options = options;
    this.#readAt = options.clock.now();
  }

  /** Resolves when messages are being read. */
  async ready(): Promise<void> {
    if (this.#starting !== undefined || this.#consumer === undefined) await this.start();
  }

  /** To be called when it is `ready`. The id of the group's last entry; what comes after it is delivered. */
  async add(subject: string, listener: BackplaneListener): Promise<string | undefined> {
    const subscription: Subscription = { listener, last: -1, lastAtMs: 0, early: [], isAtGap: false };
    this.#subscriptions.set(subject, subscription);
    try {
      // Asked after messages are being read: whatever comes after this one will be.
      const last = await this.#streams.using(() => this.#streams.find({ lastOf: subject }));
      subscription.last = last?.sequence ?? 0;
      subscription.lastAtMs = last?.atMs ?? 0;
      for (const entry of subscription.early.splice(0)) this.#deliver(subject, subscription, entry);
      return last === undefined ? undefined : toNatsId(last.sequence);
    } catch (error) {
      if (this.#subscriptions.get(subject) === subscription) this.#subscriptions.delete(subject);
      throw error;
    }
  }

  delete(subject: string): void {
    this.#subscriptions.delete(subject);
  }

  /** Begins to read, or goes on where it stopped with a new consumer. */
  start(): Promise<void> {
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
      if (this.#mustRestart) this.restart();
      else this.#pump();
    });
    return this.#starting;
  }

  /** A new connection: the consumer is gone. */
  restart(): void {
    if (this.#consumer === undefined && this.#version === 0 && this.#starting === undefined) return;
    this.#mustRestart = this.#starting !== undefined;
    if (this.#mustRestart || this.#isClosed) return;
    this.#end();
    this.start().catch((error: unknown) => {
      if (this.#isClosed) return;
      if (this.#link.isUp) this.#options.onError(error);
      this.#options.clock.clearTimer(this.#retryTimer);
      this.#retryTimer = this.#options.clock.setTimer(() => this.restart(), RETRY_MS);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#subscriptions.clear();
    this.#end();
    this.#advisories?.unsubscribe();
    this.#options.clock.clearTimer(this.#retryTimer);
  }

  async #start(): Promise<void> {
    this.#listen();
    const { config, state } = await this.#streams.info();
    const { version, name } = this.#streams;
    const isFirst = this.#version === 0;
    const isAnother = !isFirst && (this.#version !== version || state.last_seq < this.#sequence);
    if (isFirst) this.#sequence = state.last_seq;
    this.#version = version;
    if (isAnother) {
      // It is read from its beginning: all of it is new to whoever is told of the gap.
      this.#sequence = Math.max(1, state.first_seq) - 1;
      for (const subscription of this.#subscriptions.values()) {
        tellGap(subscription);
        subscription.last = Math.min(subscription.last, this.#sequence);
        subscription.lastAtMs = 0;
      }
    }
    const inbox = `_INBOX.${randomUUID()}`;
    const consumer = this.#link.connection.subscribe(inbox, {
      callback: (error, message) => {
        if (this.#consumer !== consumer) return;
        if (error !== null && error !== undefined) {
          this.restart();
          return;
        }
        this.#queue.push(message);
        this.#pump();
      },
    });
    this.#end();
    this.#consumer = consumer;
    this.#consumed = 0;
    const { num_pending } = await this.#link.createConsumer(name, {
      ...{ deliver_subject: inbox, deliver_policy: "by_start_sequence", opt_start_seq: this.#sequence + 1 },
      ...{ flow_control: true, idle_heartbeat: HEARTBEAT_MS * NS_PER_MS },
    });
    if (this.#isClosed) this.#end();
    this.#watch();
    // Fewer than there were: some expired, perhaps the last ones, after which nothing would show it.
    if (!isAnother && num_pending < state.last_seq - this.#sequence) {
      await this.#inspectAll(config.max_msgs_per_subject);
    }
  }

  /** Not every account may hear these; without them a consumer that is silent tells the same, some seconds later. */
  #listen(): void {
    this.#advisories ??= this.#link.connection.subscribe(`$JS.EVENT.ADVISORY.STREAM.*.${this.#streams.name}`, {
      callback: (error, message) => {
        if (error !== null && error !== undefined) return;
        if (!/\.(?:DELETED|CREATED|RESTORED)\./.test(message.subject)) return;
        this.#streams.forget();
        this.restart();
      },
    });
  }

  #end(): void {
    this.#consumer?.unsubscribe();
    this.#consumer = undefined;
    this.#queue = [];
    this.#options.clock.clearTimer(this.#heartbeatTimer);
  }

  /** Three heartbeats missed: the consumer is gone, or the way to it. */
  #watch(): void {
    const { clock } = this.#options;
    clock.clearTimer(this.#heartbeatTimer);
    if (this.#consumer !== undefined) {
      this.#heartbeatTimer = clock.setTimer(() => this.restart(), 3 * HEARTBEAT_MS);
    }
  }

  /** Takes what has arrived, in order; not before it is known what is missing before it. */
  #pump(): void {
    if (!this.#isPumping && this.#starting === undefined && this.#queue.length > 0) void this.#takeAll();
  }

  async #takeAll(): Promise<void> {
    this.#isPumping = true;
    try {
      let sliceStart = performance.now();
      while (this.#starting === undefined && this.#queue.length > 0) {
        const queue = this.#queue;
        this.#queue = [];
        for (const message of queue) {
          const consumer = this.#consumer;
          const waiting = this.#take(message);
          if (waiting !== undefined) await waiting;
          // Begun anew meanwhile: the rest comes again.
          if (this.#consumer !== consumer) break;
          if (performance.now() - sliceStart < SLICE_MS) continue;
          await new Promise(setImmediate);
          if (this.#consumer !== consumer) break;
          sliceStart = performance.now();
        }
        if (this.#consumer !== undefined) this.#watch();
      }
    } catch (error) {
      if (!this.#isClosed) this.#options.onError(error);
      this.restart();
    } finally {
      this.#isPumping = false;
      this.#pump();
    }
  }

  #take(message: NatsMessage): Promise<void> | undefined {
    if (message.headers?.code === 100) {
      this.#answerStatus(message);
      return undefined;
    }
    const place = placeOf(message.reply ?? "");
    if (place === undefined) return undefined;
    if (place.consumed !== this.#consumed + 1) {
      // Lost between the server and here.
      this.restart();
      return undefined;
    }
    this.#consumed = place.consumed;
    if (place.sequence === this.#sequence + 1) {
      this.#hear(message, place);
      return undefined;
    }
    // Some that were in between are not kept any more.
    return this.#inspectAll(this.#streams.keep.size).then(() => this.#hear(message, place));
  }

  /** ADR-9, ADR-15: a heartbeat says how far the consumer is; flow control waits for an answer. */
  #answerStatus(message: NatsMessage): void {
    const stalled = message.headers?.get("Nats-Consumer-Stalled");
    if (message.reply) message.respond();
    else if (stalled) this.#link.connection.publish(stalled);
    const consumed = message.headers?.get("Nats-Last-Consumer");
    if (consumed && Number(consumed) !== this.#consumed) this.restart();
    else this.#readAt = this.#options.clock.now();
  }

  #hear(message: NatsMessage, { sequence, atMs }: Place): void {
    this.#sequence = sequence;
    this.#streams.heard(sequence);
    this.#readAt = this.#options.clock.now();
    const subscription = this.#subscriptions.get(message.subject);
    if (subscription === undefined) return;
    const payload = unwrap(message.data);
    if (payload === undefined) {
      this.#options.onError(new ChannelError("BAD_DATA", `a foreign message, ${sequence} in ${this.#streams.name}`));
      return;
    }
    subscription.lastAtMs = atMs;
    if (subscription.last === -1) subscription.early.push({ sequence, payload });
    else this.#deliver(message.subject, subscription, { sequence, payload });
  }

  #deliver(subject: string, subscription: Subscription, { sequence, payload }: NatsEntry): void {
    if (this.#subscriptions.get(subject) !== subscription || sequence <= subscription.last) return;
    subscription.last = sequence;
    subscription.isAtGap = false;
    subscription.listener.entry({ id: toNatsId(sequence), payload });
  }

  /** Which groups lost something after what was read last? `limit`: how many messages of each the stream keeps. */
  async #inspectAll(limit: number): Promise<void> {
    const awayMs = this.#options.clock.now() - this.#readAt;
    const mayHaveExpired = awayMs >= this.#streams.keep.ttlMs;
    const all = [...this.#subscriptions];
    let purged: Promise<boolean> | undefined;
    const wasPurged = (): Promise<boolean> => {
      purged ??= this.#wasPurged(limit);
      return purged;
    };
    for (let i = 0; i < all.length; i += CHUNK) {
      const looking = all.slice(i, i + CHUNK).map(async ([subject, subscription]) => {
        if (await this.#isMissing(subject, subscription, limit, mayHaveExpired, wasPurged)) tellGap(subscription);
      });
      await Promise.all(looking);
    }
  }

  /** Whether messages of a group that came after what was read last are gone. */
  async #isMissing(
    subject: string,
    { lastAtMs }: Subscription,
    limit: number,
    mayHaveExpired: boolean,
    wasPurged: () => Promise<boolean>,
  ): Promise<boolean> {
    const first = await this.#streams.find({ firstOf: subject });
    // An older one is still there: trimming begins with the oldest.
    if (first !== undefined && first.sequence <= this.#sequence) return false;
    if (mayHaveExpired) return true;
    const counts = first === undefined ? {} : await this.#streams.countsOf(subject);
    if (limit >= 0 && (counts[subject] ?? 0) >= limit) return true;
    // Neither their number nor their age has removed the last one that was known: somebody did.
    if (lastAtMs > 0 && this.#isYoung(lastAtMs)) return true;
    return wasPurged();
  }

  /** Whether messages are gone that neither a limit nor their age has removed, of whatever group. */
  async #wasPurged(limit: number): Promise<boolean> {
    const { state } = await this.#streams.info();
    if ((state.num_subjects ?? 0) > MAX_COUNTS) return false;
    const counts = Object.values(await this.#streams.countsOf(">"));
    return limit < 0 || !counts.some((count) => count >= limit);
  }

  /** The server has no reason to have let go of a message of that time. */
  #isYoung(atMs: number): boolean {
    return this.#options.clock.now() - atMs < this.#streams.keep.ttlMs - CLOCK_SLACK_MS;
  }
}

function tellGap(subscription: Subscription): void {
  if (subscription.isAtGap) return;
  subscription.isAtGap = true;
  subscription.listener.gap();
}
