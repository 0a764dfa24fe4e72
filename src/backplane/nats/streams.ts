// The streams of the NATS backplane, in the words of the JetStream API (subjects `$JS.API.…`, JSON both ways): a core
// connection is all that it takes, of whatever version of the client. Works from server 2.9 on.
//
// A stream numbers its messages from 1 on, and one that was deleted and made again does so again. Before anything is published
// to a new stream its numbers are therefore lifted to the microsecond of its making: no two messages of one name ever have the
// same number, and a publisher sees at once when its message went to a stream that it does not know.
// Long because opening, lifting and growing share what is known of the stream.

import type { HistoryLimits } from "../backplane.ts";
import { isApiError, NO_MESSAGE_FOUND, STREAM_NAME_IN_USE, STREAM_NOT_FOUND } from "./api.ts";
import type { NatsLink } from "./connection.ts";
import { NS_PER_MS } from "./message.ts";
import { NatsPublisher, type PublishedStreams } from "./publisher.ts";

export interface NatsStreamsOptions {
  readonly name: string;
  readonly replicas: number;
  readonly aliveMs: number;
  /** The message stream is gone, or is another one than was known. */
  readonly onAnother: () => void;
  /** The streams of members are other ones than were known: they are empty. */
  readonly onForgotten: () => void;
}

/** Numbers of a new stream for each millisecond between its making and the epoch: more than are published in one. */
const NUMBERS_PER_MS = 1000;
/** How often, and how long apart, a server is asked that knows less than it did: it may still be reading its files. */
const REGRESS_LOOKS = 3;
const REGRESS_MS = 200;
/**
 * How long a stream that was deleted is left alone before it is made again. A server tells that it is deleted, and makes another
 * one of its name, while it still removes its files: with them go those of the other one (seen with nats-server 2.9.10).
 */
const REMAKE_MS = 500;
/** JetStream looks for doubles so long by default; it may not be longer than what is kept. */
const DUPLICATE_WINDOW_MS = 120_000;
/** Members of a process that never came back stay no longer; those of others are written anew. */
export const MEMBER_TTL_MS: number = 24 * 3_600_000;

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
    readonly subjects?: Readonly<Record<string, number>>;
  };
}

export class NatsStreams implements PublishedStreams {
  readonly #link: NatsLink;
  readonly #publisher: NatsPublisher;
  readonly #options: NatsStreamsOptions;
  /** The most that was asked for, here or by whoever made the stream. */
  #keep: HistoryLimits = { size: 1, ttlMs: 60_000 };
  #opening: Promise<StreamInfo> | undefined;
  #growing: Promise<void> | undefined;
  /** When the message stream was made: what tells two streams of one name apart. */
  #created = "";
  /** When those of members were made. */
  #membersCreated = "";
  /** The least number that the message stream gives. */
  #first = Number.POSITIVE_INFINITY;
  /** The greatest number that the message stream is known to have given. */
  #known = 0;
  #version = 0;

  constructor(link: NatsLink, options: NatsStreamsOptions) {
    this.#link = link;
    this.#options = options;
    this.#publisher = new NatsPublisher(link, this);
  }

  /** Another number for each message stream that is found, and for one that has lost its end. */
  get version(): number {
    return this.#version;
  }

  get name(): string {
    return this.#options.name;
  }

  get keep(): HistoryLimits {
    return this.#keep;
  }

  get isOpen(): boolean {
    return this.#opening !== undefined && this.#created !== "";
  }

  get first(): number {
    return this.#first;
  }

  /** To be opened again: the server may be another one. */
  forget(): void {
    this.#opening = undefined;
  }

  /** The stream gave this number. */
  heard(sequence: number): void {
    if (sequence > this.#known) this.#known = sequence;
  }

  /** Makes the streams if they are not there. Asked again after the connection was lost. */
  open(): Promise<StreamInfo> {
    if (this.#opening !== undefined) return this.#opening;
    const opening = this.#openAll().catch((error: unknown) => {
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    });
    this.#opening = opening;
    return opening;
  }

  /** The message stream as it is now. */
  async info(): Promise<StreamInfo> {
    this.#opening = undefined;
    return this.open();
  }

  /** Publishes a message to the subject of a group; its sequence once the server has it. */
  append(subject: string, payload: Uint8Array): Promise<number> {
    return this.#publisher.publish(subject, payload, true);
  }

  /** Publishes to a subject of one of the other streams. */
  async publish(subject: string, payload: Uint8Array): Promise<void> {
    await this.#publisher.publish(subject, payload, false);
  }

  /**
   * A stream whose files are gone still counts its messages, confirms new ones, or refuses them, and delivers none; emptied, it
   * works again. Nothing is done where any message can be read.
   */
  async repair(): Promise<void> {
    const before = await this.#link.api<StreamInfo>(`STREAM.INFO.${this.name}`);
    if ((await this.find({ firstOf: ">" })) !== undefined) return;
    const { created, state } = await this.#link.api<StreamInfo>(`STREAM.INFO.${this.name}`);
    if (created !== before.created || state.last_seq !== before.state.last_seq) return;
    await this.#link.api(`STREAM.PURGE.${this.name}`, { seq: state.last_seq + 1 });
    if (state.messages === 0) return;
    this.#version += 1;
    this.lost();
  }

  /** Runs what needs the streams; once more if they turn out to be gone. */
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

  /** The message stream is gone, or is another one: the next `open` looks for it. */
  lost(): void {
    this.forget();
    this.#options.onAnother();
  }

  /** Sees to it that the stream keeps at least this much. It is one stream for all groups, so the largest wish counts. */
  grow({ size, ttlMs }: HistoryLimits): Promise<void> {
    this.#keep = { size: Math.max(size, this.#keep.size), ttlMs: Math.max(ttlMs, this.#keep.ttlMs) };
    // One after the other, and all that is published meanwhile waits behind them: it stays in order.
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

  /** Whether `grow` would have something to do. */
  isKept({ size, ttlMs }: HistoryLimits): boolean {
    if (this.#growing !== undefined || !this.isOpen) return false;
    return size <= this.#keep.size && ttlMs <= this.#keep.ttlMs;
  }

  /** The first message of a subject that is there, the last one, or that of a number; undefined when there is none. */
  async find(
    which: { readonly firstOf: string } | { readonly lastOf: string } | { readonly sequence: number },
  ): Promise<FoundMessage | undefined> {
    const request =
      "firstOf" in which
        ? { seq: 1, next_by_subj: which.firstOf }
        : "lastOf" in which
          ? { last_by_subj: which.lastOf }
          : { seq: which.sequence };
    try {
      const { message } = await this.#link.api<{
        readonly message: { readonly seq: number; readonly subject: string; readonly time: string };
      }>(`STREAM.MSG.GET.${this.name}`, request);
      return { sequence: message.seq, subject: message.subject, atMs: Date.parse(message.time) };
    } catch (error) {
      if (isApiError(error, NO_MESSAGE_FOUND)) return undefined;
      throw error;
    }
  }

  /** How many messages each subject has that fits. */
  async countsOf(filter: string): Promise<Readonly<Record<string, number>>> {
    const { state } = await this.#link.api<StreamInfo>(`STREAM.INFO.${this.name}`, { subjects_filter: filter });
    return state.subjects ?? {};
  }

  async #openAll(): Promise<StreamInfo> {
    const { name, aliveMs } = this.#options;
    const small = { storage: "memory", max_msgs_per_subject: 1 };
    // Before it is asked: what is published meanwhile may be in the answer or not.
    const known = this.#known;
    const [found, members, alive] = await Promise.all([
      this.#ensure(name, () => this.#messagesConfig({ max_msgs_per_subject: 1, max_age: 1 })),
      this.#ensure(`${name}-members`, () => ({ subjects: [`${name}.m.>`], ...small, ...ageOf(MEMBER_TTL_MS) })),
      this.#ensure(`${name}-alive`, () => ({ subjects: [`${name}.a.>`], ...small, ...ageOf(aliveMs) })),
    ]);
    const info = await this.#lifted(found, known);
    const membersCreated = `${members.created} ${alive.created}`;
    const isForgotten = this.#membersCreated !== "" && this.#membersCreated !== membersCreated;
    this.#membersCreated = membersCreated;
    if (isForgotten) this.#options.onForgotten();
    const { max_msgs_per_subject: size, max_age } = info.config;
    const kept = { size: size < 0 ? Infinity : size, ttlMs: max_age === 0 ? Infinity : max_age / NS_PER_MS };
    if (kept.size >= this.#keep.size && kept.ttlMs >= this.#keep.ttlMs) {
      this.#keep = kept;
      return info;
    }
    // Made anew by a process that never published.
    this.#keep = { size: Math.max(kept.size, this.#keep.size), ttlMs: Math.max(kept.ttlMs, this.#keep.ttlMs) };
    return this.#link.api<StreamInfo>(`STREAM.UPDATE.${name}`, {
      ...info.config,
      ...this.#messagesConfig(info.config),
    });
  }

  /** Sees to it that the stream gives no number that one of its name has given before. */
  async #lifted(found: StreamInfo, knownBefore: number): Promise<StreamInfo> {
    let info = found;
    const { created } = info;
    const first = Date.parse(created) * NUMBERS_PER_MS;
    const isAnother = created !== this.#created;
    const known = isAnother ? 0 : knownBefore;
    // It was restored from an older copy, or has lost its end in another way. A server that is starting may say so, too.
    for (let look = 0; info.created === created && info.state.last_seq < known && look < REGRESS_LOOKS; look++) {
      await this.#link.pause(REGRESS_MS);
      info = await this.#link.api<StreamInfo>(`STREAM.INFO.${this.name}`);
    }
    if (info.created !== created) return this.#lifted(info, knownBefore);
    const hasLostItsEnd = info.state.last_seq < known;
    const least = Math.max(first, hasLostItsEnd ? known + 1 : 0);
    if (info.state.last_seq < least - 1) {
      // Everything below `least` goes, and the next message gets `least`. Doing it twice changes nothing.
      await this.#link.api(`STREAM.PURGE.${this.name}`, { seq: least });
      info = await this.#link.api<StreamInfo>(`STREAM.INFO.${this.name}`);
      if (info.created !== created) return this.#lifted(info, knownBefore);
    }
    if (isAnother || hasLostItsEnd) {
      this.#version += 1;
      this.#created = created;
      this.#first = first;
      this.#known = 0;
      if (this.#version > 1) this.#options.onAnother();
    }
    return info;
  }

  async #ensure(name: string, config: () => object): Promise<StreamInfo> {
    const found = await this.#infoOf(name);
    if (found !== undefined) return found;
    if (this.#created !== "") {
      await this.#link.pause(REMAKE_MS);
      const madeByAnother = await this.#infoOf(name);
      if (madeByAnother !== undefined) return madeByAnother;
    }
    try {
      const common = { name, retention: "limits", discard: "old", num_replicas: this.#options.replicas };
      return await this.#link.api<StreamInfo>(`STREAM.CREATE.${name}`, { ...common, ...config() });
    } catch (error) {
      // Another process was faster, with other limits.
      if (!isApiError(error, STREAM_NAME_IN_USE)) throw error;
      return this.#link.api<StreamInfo>(`STREAM.INFO.${name}`);
    }
  }

  /** Undefined when there is no stream of that name. */
  async #infoOf(name: string): Promise<StreamInfo | undefined> {
    try {
      return await this.#link.api<StreamInfo>(`STREAM.INFO.${name}`);
    } catch (error) {
      if (isApiError(error, STREAM_NOT_FOUND)) return undefined;
      throw error;
    }
  }

  #messagesConfig(found: { readonly max_msgs_per_subject: number; readonly max_age: number }): StreamConfig {
    const { size, ttlMs } = this.#keep;
    const isUnlimited = found.max_msgs_per_subject < 0 || !Number.isFinite(size);
    return {
      subjects: [`${this.name}.g.>`],
      storage: "file",
      max_msgs_per_subject: isUnlimited ? -1 : Math.max(size, found.max_msgs_per_subject),
      ...ageOf(found.max_age === 0 ? Infinity : Math.max(ttlMs, found.max_age / NS_PER_MS)),
    };
  }
}

export interface FoundMessage {
  readonly sequence: number;
  readonly subject: string;
  /** When the server stored it, in milliseconds. */
  readonly atMs: number;
}

function ageOf(ms: number): { readonly max_age: number; readonly duplicate_window: number } {
  if (!Number.isFinite(ms)) return { max_age: 0, duplicate_window: DUPLICATE_WINDOW_MS * NS_PER_MS };
  const kept = Math.ceil(ms);
  return { max_age: kept * NS_PER_MS, duplicate_window: Math.min(kept, DUPLICATE_WINDOW_MS) * NS_PER_MS };
}
