// The streams of the NATS backplane, through the JetStream API (subjects `$JS.API.…`, JSON both ways): a core connection of any
// version of the client is enough. Works with server 2.9 and later.
//
// A stream numbers its messages from 1 on, also one that was deleted and created again. So before anything is published to a
// new stream, its sequences are raised to the microsecond of its creation: no two messages of one name ever have the same
// sequence, and a publisher notices at once if its message went to an unknown stream.
// Long because opening, raising and growing share the known state of the stream.

import type { HistoryLimits } from "../backplane.ts";
import { MEMBER_TTL_MS } from "../broker-presence.ts";
import { isApiError, STREAM_NOT_FOUND } from "./api.ts";
import type { NatsLink } from "./connection.ts";
import { ensureStream } from "./ensure-stream.ts";
import { findMessage, type StoredMessage } from "./find-message.ts";
import { MAX_AGE_MS, NS_PER_MS } from "./message.ts";
import { NatsPublisher, type PublishedStreams } from "./publisher.ts";
import { subjectCounts } from "./subject-counts.ts";

export interface NatsStreamsOptions {
  readonly name: string;
  readonly replicas: number;
  readonly aliveMs: number;
  /** Called when the message stream is gone or was replaced. */
  readonly onAnother: () => void;
  /** Called when the streams of members were replaced: they are empty. */
  readonly onForgotten: () => void;
}

/** Sequences for each millisecond between the epoch and the creation of a stream: more than are published in a millisecond. */
const NUMBERS_PER_MS = 1000;
/** Number and interval of further requests to a server that knows less than before: it may still be reading its files. */
const REGRESS_TRIES = 3;
const REGRESS_MS = 200;
/** JetStream's default window for duplicates. It must not be longer than messages are kept. */
const DUPLICATE_WINDOW_MS = 120_000;

interface StreamConfig {
  readonly max_msgs_per_subject: number;
  readonly max_age: number;
  readonly [key: string]: unknown;
}

export interface StreamInfo {
  readonly created: string;
  readonly config: StreamConfig;
  readonly state: {
    readonly messages: number;
    readonly first_seq: number;
    readonly last_seq: number;
    readonly num_subjects?: number;
  };
}

export class NatsStreams implements PublishedStreams {
  readonly #link: NatsLink;
  readonly publisher: NatsPublisher;
  readonly name: string;
  /** The largest limits that were asked for, by this process or by the one that created the stream. */
  keep: HistoryLimits = { size: 1, ttlMs: 60_000 };
  /** Changes with each message stream that is found, and when one has lost its end. */
  version = 0;
  /** Lowest sequence that the message stream gives. */
  first: number = Number.POSITIVE_INFINITY;
  readonly #options: NatsStreamsOptions;
  #opening: Promise<StreamInfo> | undefined;
  #growing: Promise<void> | undefined;
  /** Time at which the message stream was created: it tells two streams of one name apart. */
  #created: string | undefined;
  /** Times at which the streams of members were created. */
  #membersCreated: string | undefined;
  /** Highest sequence that the message stream is known to have given. */
  #known = 0;

  constructor(link: NatsLink, options: NatsStreamsOptions) {
    this.#link = link;
    this.#options = options;
    this.name = options.name;
    this.publisher = new NatsPublisher(link, this);
  }

  get isOpen(): boolean {
    return this.#opening !== undefined && this.#created !== undefined;
  }

  /** Makes the next call open the streams again: the server may be another one. */
  forget(): void {
    this.#opening = undefined;
  }

  /** Records a sequence that the stream gave. */
  heard(sequence: number): void {
    if (sequence > this.#known) this.#known = sequence;
  }

  /** Creates the streams that are missing. Done again after the connection was lost. */
  open(): Promise<StreamInfo> {
    if (this.#opening !== undefined) return this.#opening;
    const opening = this.#openAll().catch((error: unknown) => {
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    });
    this.#opening = opening;
    return opening;
  }

  /** Resolves to the current state of the message stream. */
  async info(): Promise<StreamInfo> {
    this.#opening = undefined;
    return this.open();
  }

  /**
   * Empties a stream whose files are gone: it still counts its messages, and confirms or refuses new ones, but delivers none.
   * Does nothing if any message can be read.
   */
  async repair(): Promise<void> {
    const before = await this.#link.api<StreamInfo>(`STREAM.INFO.${this.name}`);
    if ((await this.find({ firstOf: ">" })) !== undefined) return;
    const { created, state } = await this.#link.api<StreamInfo>(`STREAM.INFO.${this.name}`);
    if (created !== before.created || state.last_seq !== before.state.last_seq) return;
    await this.#link.api(`STREAM.PURGE.${this.name}`, { seq: state.last_seq + 1 });
    if (state.messages === 0) return;
    this.version += 1;
    this.lost();
  }

  /** Runs a function that needs the streams; a second time if they turn out to be gone. */
  async using<T>(run: () => Promise<T>): Promise<T> {
    await this.open();
    try {
      return await run();
    } catch (error) {
      if (!isApiError(error, STREAM_NOT_FOUND)) throw error;
      this.lost();
      await this.open();
      return run();
    }
  }

  /** The message stream is gone or was replaced: the next `open` searches for it. */
  lost(): void {
    this.forget();
    this.#options.onAnother();
  }

  /** Makes the stream keep at least this much. All groups share one stream, so the largest limits count. */
  grow(limits: HistoryLimits): Promise<void> {
    this.#widen(limits);
    // One update at a time. Messages that are published meanwhile wait behind it and stay in order.
    const growing = (this.#growing ?? Promise.resolve())
      .catch(() => {})
      .then(async () => {
        const { config } = await this.open();
        const grown = this.#messagesConfig(config);
        if (grown.max_msgs_per_subject === config.max_msgs_per_subject && grown.max_age === config.max_age) return;
        await this.#link.api(`STREAM.UPDATE.${this.name}`, { ...config, ...grown });
        await this.info();
      });
    const done = (): void => {
      if (this.#growing === growing) this.#growing = undefined;
    };
    this.#growing = growing;
    growing.then(done, done);
    return growing;
  }

  /** Returns true if `grow` would have nothing to do. */
  isKept({ size, ttlMs }: HistoryLimits): boolean {
    if (this.#growing !== undefined || !this.isOpen) return false;
    return size <= this.keep.size && ttlMs <= this.keep.ttlMs;
  }

  /** Finds the first or last message of a subject, or the message with a sequence. Resolves to undefined if there is none. */
  find(
    which: { readonly firstOf: string } | { readonly lastOf: string } | { readonly sequence: number },
  ): Promise<StoredMessage | undefined> {
    const request =
      "firstOf" in which
        ? { seq: 1, next_by_subj: which.firstOf }
        : "lastOf" in which
          ? { last_by_subj: which.lastOf }
          : { seq: which.sequence };
    return findMessage(this.#link, this.name, request);
  }

  /** Resolves to the number of messages of each subject that matches. */
  countsOf(filter: string): Promise<ReadonlyMap<string, number>> {
    return subjectCounts(this.#link, this.name, filter);
  }

  async #openAll(): Promise<StreamInfo> {
    const { name, aliveMs } = this.#options;
    const small = { storage: "memory", max_msgs_per_subject: 1 };
    // Taken before the request: a message that is published meanwhile may or may not be in the answer.
    const known = this.#known;
    const [found, members, alive] = await Promise.all([
      this.#ensure(name, () => this.#messagesConfig({ max_msgs_per_subject: 1, max_age: 1 })),
      this.#ensure(`${name}-members`, () => ({ subjects: [`${name}.m.>`], ...small, ...ageOf(MEMBER_TTL_MS) })),
      this.#ensure(`${name}-alive`, () => ({ subjects: [`${name}.a.>`], ...small, ...ageOf(aliveMs) })),
    ]);
    const info = await this.#lifted(found, known);
    const membersCreated = `${members.created} ${alive.created}`;
    const isForgotten = this.#membersCreated !== undefined && this.#membersCreated !== membersCreated;
    this.#membersCreated = membersCreated;
    if (isForgotten) this.#options.onForgotten();
    const { max_msgs_per_subject: size, max_age } = info.config;
    const kept = { size: size < 0 ? Infinity : size, ttlMs: max_age === 0 ? Infinity : max_age / NS_PER_MS };
    if (kept.size >= this.keep.size && kept.ttlMs >= this.keep.ttlMs) {
      this.keep = kept;
      return info;
    }
    // The stream was created by a process that never published.
    this.#widen(kept);
    return this.#link.api<StreamInfo>(`STREAM.UPDATE.${name}`, {
      ...info.config,
      ...this.#messagesConfig(info.config),
    });
  }

  /** Makes sure that the stream gives no sequence that a stream of its name has given before. */
  async #lifted(found: StreamInfo, knownBefore: number): Promise<StreamInfo> {
    let info = found;
    const { created } = info;
    const first = Date.parse(created) * NUMBERS_PER_MS;
    const isAnother = created !== this.#created;
    const known = isAnother ? 0 : knownBefore;
    // The stream was restored from an older copy, or has lost its end. A server that is starting may give this answer, too.
    for (let i = 0; info.created === created && info.state.last_seq < known && i < REGRESS_TRIES; i++) {
      await this.#link.pause(REGRESS_MS);
      info = await this.#link.api<StreamInfo>(`STREAM.INFO.${this.name}`);
    }
    if (info.created !== created) return this.#lifted(info, knownBefore);
    const hasLostItsEnd = info.state.last_seq < known;
    const least = Math.max(first, hasLostItsEnd ? known + 1 : 0);
    if (info.state.last_seq < least - 1) {
      // Removes everything below `least`, and gives the next message `least`. Doing it twice changes nothing.
      await this.#link.api(`STREAM.PURGE.${this.name}`, { seq: least });
      info = await this.#link.api<StreamInfo>(`STREAM.INFO.${this.name}`);
      if (info.created !== created) return this.#lifted(info, knownBefore);
    }
    if (isAnother || hasLostItsEnd) {
      this.version += 1;
      this.#created = created;
      this.first = first;
      this.#known = 0;
      if (this.version > 1) this.#options.onAnother();
    }
    return info;
  }

  #ensure(name: string, config: () => object): Promise<StreamInfo> {
    const common = { retention: "limits", discard: "old", num_replicas: this.#options.replicas };
    return ensureStream(this.#link, name, {
      wasThere: this.#created !== undefined,
      config: () => ({ ...common, ...config() }),
    });
  }

  #widen({ size, ttlMs }: HistoryLimits): void {
    this.keep = { size: Math.max(size, this.keep.size), ttlMs: Math.max(ttlMs, this.keep.ttlMs) };
  }

  #messagesConfig(found: { readonly max_msgs_per_subject: number; readonly max_age: number }): StreamConfig {
    const { size, ttlMs } = this.keep;
    const isUnlimited = found.max_msgs_per_subject < 0 || size > Number.MAX_SAFE_INTEGER;
    return {
      subjects: [`${this.name}.g.>`],
      storage: "file",
      max_msgs_per_subject: isUnlimited ? -1 : Math.max(Math.ceil(size), found.max_msgs_per_subject),
      ...ageOf(found.max_age === 0 ? Infinity : Math.max(ttlMs, found.max_age / NS_PER_MS)),
    };
  }
}

function ageOf(ms: number): { readonly max_age: number; readonly duplicate_window: number } {
  if (ms > MAX_AGE_MS) return { max_age: 0, duplicate_window: DUPLICATE_WINDOW_MS * NS_PER_MS };
  const kept = Math.ceil(ms);
  return { max_age: kept * NS_PER_MS, duplicate_window: Math.min(kept, DUPLICATE_WINDOW_MS) * NS_PER_MS };
}
