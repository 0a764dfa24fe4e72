// The reading side of the NATS backplane: one consumer of the whole message stream, of which a process picks its groups.
// The stream numbers all messages without holes, and the consumer numbers what it delivers: what is missing shows.

import { randomUUID } from "node:crypto";
import type { Clock, Timer } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import type { BackplaneEntry, BackplaneListener } from "./backplane.ts";
import type { NatsMessage } from "./nats-api.ts";
import type { NatsLink } from "./nats-link.ts";
import { placeOf, unwrap } from "./nats-message.ts";
import type { NatsStreams } from "./nats-streams.ts";
import { BEGINNING, compareStreamIds } from "./stream-ids.ts";

interface Subscription {
  readonly listener: BackplaneListener;
  /** Everything up to here was delivered; undefined until it is known where to begin. */
  last: string | undefined;
  /** What came before that was known. */
  readonly early: BackplaneEntry[];
  /** No entry came since it was told of a gap. */
  isAtGap: boolean;
}

export interface NatsReaderOptions {
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

const HEARTBEAT_MS = 5000;
const NS_PER_MS = 1_000_000;
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
  /** Of the stream that was read last. */
  #epoch = 0;
  #sequence = 0;
  #consumed = 0;
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
    const subscription: Subscription = { listener, last: undefined, early: [], isAtGap: false };
    this.#subscriptions.set(subject, subscription);
    try {
      // Asked after messages are being read: whatever comes after this one will be.
      const last = await this.#streams.lastOf(subject);
      subscription.last = last ?? BEGINNING;
      for (const entry of subscription.early.splice(0)) this.#deliver(subject, subscription, entry);
      return last;
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
    if (this.#consumer === undefined && this.#epoch === 0) return;
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
    this.#options.clock.clearTimer(this.#retryTimer);
  }

  async #start(): Promise<void> {
    const { config, state } = await this.#streams.info();
    const { epoch, name } = this.#streams;
    const isFirst = this.#epoch === 0;
    const isAnother = !isFirst && (this.#epoch !== epoch || state.last_seq < this.#sequence);
    if (isFirst) this.#sequence = state.last_seq;
    // A new stream is read from its beginning. One that went back has lost its end; its numbers come again.
    if (isAnother) this.#sequence = this.#epoch === epoch ? state.last_seq : 0;
    this.#epoch = epoch;
    if (isAnother) this.#tellAll();
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
    if (num_pending < state.last_seq - this.#sequence) await this.#inspectAll(config.max_msgs_per_subject);
  }

  #tellAll(): void {
    const last = `${this.#epoch}-${this.#sequence}`;
    for (const subscription of this.#subscriptions.values()) {
      tellGap(subscription);
      // What is heard from here on is new, whatever its number.
      if (compareStreamIds(subscription.last ?? BEGINNING, last) > 0) subscription.last = last;
    }
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
      this.#hear(message, place.sequence);
      return undefined;
    }
    // Some that were in between are not kept any more.
    return this.#inspectAll(this.#streams.keep.size).then(() => this.#hear(message, place.sequence));
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

  #hear(message: NatsMessage, sequence: number): void {
    this.#sequence = sequence;
    this.#readAt = this.#options.clock.now();
    const subscription = this.#subscriptions.get(message.subject);
    if (subscription === undefined) return;
    const payload = unwrap(message.data);
    const id = `${this.#epoch}-${sequence}`;
    if (payload === undefined) {
      this.#options.onError(new ChannelError("BAD_DATA", `a foreign message, ${sequence} in ${this.#streams.name}`));
    } else if (subscription.last === undefined) subscription.early.push({ id, payload });
    else this.#deliver(message.subject, subscription, { id, payload });
  }

  #deliver(subject: string, subscription: Subscription, entry: BackplaneEntry): void {
    if (this.#subscriptions.get(subject) !== subscription) return;
    if (compareStreamIds(entry.id, subscription.last ?? BEGINNING) <= 0) return;
    subscription.last = entry.id;
    subscription.isAtGap = false;
    subscription.listener.entry(entry);
  }

  /** Which groups lost something after what was read last? */
  async #inspectAll(limit: number): Promise<void> {
    const awayMs = this.#options.clock.now() - this.#readAt;
    const mayHaveExpired = awayMs >= this.#streams.keep.ttlMs;
    for (const [subject, subscription] of this.#subscriptions) {
      if (await this.#streams.isMissing(subject, this.#sequence, limit, mayHaveExpired)) tellGap(subscription);
    }
  }
}

function tellGap(subscription: Subscription): void {
  if (subscription.isAtGap || subscription.last === undefined) return;
  subscription.isAtGap = true;
  subscription.listener.gap();
}
