// The reading side of the NATS backplane: one consumer at a time of the whole message stream, of which a process picks its
// groups. The stream numbers its messages without holes, so a missing one is noticed. One loop does everything: it creates a
// consumer, tells of gaps, delivers messages until the consumer is over, and begins again.

import type { Timer } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import type { BackplaneListener } from "../backplane.ts";
import { unavailable } from "../unavailable.ts";
import type { NatsLink } from "./connection.ts";
import { NatsConsumer, type ReadMessage } from "./consumer.ts";
import { findGaps } from "./gaps.ts";
import { toNatsId, unwrap } from "./message.ts";
import type { NatsStreams } from "./streams.ts";

interface Subscription {
  readonly listener: BackplaneListener;
  /** Sequence up to which everything was delivered; undefined until the beginning is known. */
  last: number | undefined;
  /** Time at which the server stored the last known message of the group, in milliseconds; undefined if none is known. */
  lastAtMs: number | undefined;
  /** Messages that arrived before the beginning was known. */
  readonly early: NatsEntry[];
  /** True if no entry came since the last gap was told. */
  isAtGap: boolean;
}

interface NatsEntry {
  readonly sequence: number;
  readonly payload: Uint8Array;
}

interface Waiting {
  resolve(): void;
  reject(error: unknown): void;
}

const RETRY_MS = 500;
/** Seconds without a message after which the stream is checked: its consumer may be wrong. */
const IDLE_HEARTBEATS = 2;
/** Time after which other connections get their turn while messages are delivered. */
const SLICE_MS = 8;

export class NatsReader {
  readonly #link: NatsLink;
  readonly #streams: NatsStreams;
  readonly #onError: (error: unknown) => void;
  readonly #subscriptions = new Map<string, Subscription>();
  /** The current consumer, from its creation on. */
  #consumer: NatsConsumer | undefined;
  /** True while messages are delivered: the consumer was created, and gaps before it were reported. */
  #isReading = false;
  /** Callers of `ready` that wait. */
  #waiting: Waiting[] = [];
  #isRunning = false;
  /** Version of the stream that was read last; undefined if none was. */
  #version: number | undefined;
  #sequence = 0;
  #readAt: number;
  /** The server's advisories: a stream that is deleted or created is checked at once. */
  #advisories: { unsubscribe(): void } | undefined;
  /** Ends the pause before another attempt. */
  #retry: (() => void) | undefined;
  #isClosed = false;

  constructor(link: NatsLink, streams: NatsStreams, onError: (error: unknown) => void) {
    this.#link = link;
    this.#streams = streams;
    this.#onError = onError;
    this.#readAt = link.clock.now();
  }

  /** Resolves when messages are being read. Rejects if the attempt has failed. */
  ready(): Promise<void> {
    if (this.#isClosed) return Promise.reject(unavailable("closed"));
    if (this.#isReading && this.#consumer?.isOver === false) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#retry?.();
      if (!this.#isRunning) void this.#run();
    });
  }

  /** Call it after `ready`. Resolves to the id of the group's last entry; later entries are delivered. */
  async add(subject: string, listener: BackplaneListener): Promise<string | undefined> {
    const subscription: Subscription = { listener, last: undefined, lastAtMs: undefined, early: [], isAtGap: false };
    this.#subscriptions.set(subject, subscription);
    try {
      // Asked while messages are being read: every message behind this one will be delivered.
      const last = await this.#streams.using(() => this.#streams.find({ lastOf: subject }));
      subscription.last = last?.sequence ?? 0;
      subscription.lastAtMs = last?.atMs;
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

  /** Goes on with another consumer: the connection, or the stream, may have been replaced. */
  restart(): void {
    this.#consumer?.end();
    this.#retry?.();
  }

  close(): void {
    this.#isClosed = true;
    this.#subscriptions.clear();
    this.#advisories?.unsubscribe();
    this.restart();
    for (const { reject } of this.#waiting.splice(0)) reject(unavailable("closed"));
  }

  /** Runs until it is closed, or has failed before anything was read. Never rejects. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    while (!this.#isClosed && (this.#version !== undefined || this.#waiting.length > 0)) {
      try {
        await this.#readOn();
      } catch (error) {
        const waiting = this.#waiting.splice(0);
        for (const { reject } of waiting) reject(error);
        if (this.#isClosed) break;
        if (waiting.length === 0 && this.#link.isUp) this.#onError(error);
        if (this.#version !== undefined) await this.#pause();
      } finally {
        this.#isReading = false;
        this.#consumer?.end();
        this.#consumer = undefined;
      }
    }
    this.#isRunning = false;
  }

  /** Runs one consumer, from its creation to its end. */
  async #readOn(): Promise<void> {
    this.#listen();
    const { config, state } = await this.#streams.info();
    if (this.#isClosed) return;
    // From here on, finding another stream ends this consumer.
    const consumer = new NatsConsumer(this.#link);
    this.#consumer = consumer;
    const isAnother = this.#compare(state);
    const start = { deliver_policy: "by_start_sequence", opt_start_seq: this.#sequence + 1 } as const;
    const pending = await consumer.begin(this.#streams.name, start);
    if (consumer.isOver) return;
    // There are fewer messages than before: some are gone, perhaps the last ones, which nothing else would show.
    if (!isAnother && pending < state.last_seq - this.#sequence) {
      const limit = config.max_msgs_per_subject;
      await this.#tellGaps(limit < 0 ? Number.POSITIVE_INFINITY : limit);
      if (consumer.isOver) return;
    }
    if (pending === 0) this.#sequence = Math.max(this.#sequence, state.last_seq);
    this.#isReading = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    await this.#deliverAll(consumer);
  }

  /** Tells all groups of a gap if the stream is not the one that was read. */
  #compare({ first_seq, last_seq }: { readonly first_seq: number; readonly last_seq: number }): boolean {
    const isFirst = this.#version === undefined;
    const isAnother = !isFirst && (this.#version !== this.#streams.version || last_seq < this.#sequence);
    if (isFirst) this.#sequence = last_seq;
    this.#version = this.#streams.version;
    if (!isAnother) return false;
    // The stream is read from its beginning: each message is new to a group that was told of the gap.
    this.#sequence = Math.max(1, first_seq) - 1;
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.last !== undefined) subscription.last = Math.min(subscription.last, this.#sequence);
      subscription.lastAtMs = undefined;
      tellGap(subscription);
    }
    return true;
  }

  async #deliverAll(consumer: NatsConsumer): Promise<void> {
    let sliceStart = performance.now();
    while (!consumer.isOver) {
      const found = consumer.take();
      if (found === undefined) {
        if (consumer.hasIdled(IDLE_HEARTBEATS)) await this.#verify(consumer);
        await consumer.arrival();
        sliceStart = performance.now();
        continue;
      }
      if (found.position.sequence !== this.#sequence + 1) {
        // Some messages in between are not kept any more.
        await this.#tellGaps(this.#streams.keep.size);
        if (consumer.isOver) return;
      }
      this.#hear(found);
      if (performance.now() - sliceStart < SLICE_MS) continue;
      await new Promise(setImmediate);
      sliceStart = performance.now();
    }
  }

  /**
   * Checks the consumer's claim that it has delivered everything: it may have been created on a broken stream, or messages that
   * it was about to deliver were removed.
   */
  async #verify(consumer: NatsConsumer): Promise<void> {
    this.#readAt = this.#link.clock.now();
    const { state } = await this.#streams.info();
    // Another stream was found, or the missing messages have come meanwhile.
    if (consumer.isOver || consumer.hasArrived) return;
    if (state.last_seq <= this.#sequence) return;
    await this.#streams.repair();
    consumer.end();
  }

  /** Not every account may receive advisories; without them a silent consumer shows the same some seconds later. */
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

  #hear({ message, position: { sequence, atMs } }: ReadMessage): void {
    this.#sequence = sequence;
    this.#streams.heard(sequence);
    this.#readAt = this.#link.clock.now();
    const subscription = this.#subscriptions.get(message.subject);
    if (subscription === undefined) return;
    const payload = unwrap(message.data);
    if (payload === undefined) {
      this.#onError(new ChannelError("BAD_DATA", `a foreign message, ${sequence} in ${this.#streams.name}`));
      return;
    }
    subscription.lastAtMs = atMs;
    if (subscription.last === undefined) subscription.early.push({ sequence, payload });
    else this.#deliver(message.subject, subscription, { sequence, payload });
  }

  #deliver(subject: string, subscription: Subscription, { sequence, payload }: NatsEntry): void {
    if (this.#subscriptions.get(subject) !== subscription || sequence <= (subscription.last ?? 0)) return;
    subscription.last = sequence;
    subscription.isAtGap = false;
    subscription.listener.entry({ id: toNatsId(sequence), payload });
  }

  /**
   * Tells the groups that lost messages after the last one that was read.
   *
   * @param limit number of messages of each group that the stream keeps; Infinity: all
   */
  async #tellGaps(limit: number): Promise<void> {
    const position = { sequence: this.#sequence, atMs: this.#readAt, nowMs: this.#link.clock.now(), limit };
    await findGaps(this.#streams, position, [...this.#subscriptions], tellGap);
  }

  /** Waits before another attempt; a new connection ends the wait. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const { clock } = this.#link;
      const end = (): void => {
        clock.clearTimer(timer);
        this.#retry = undefined;
        resolve();
      };
      const timer: Timer = clock.setTimer(end, RETRY_MS);
      this.#retry = end;
    });
  }
}

function tellGap(subscription: Subscription): void {
  if (subscription.isAtGap) return;
  subscription.isAtGap = true;
  subscription.listener.gap();
}
