// The streams of the NATS backplane, in the words of the JetStream API (subjects `$JS.API.…`, JSON both ways): a core
// connection is all that it takes, of whatever version of the client. Works from server 2.9 on.

import type { HistoryLimits } from "./backplane.ts";
import { isApiError, isNoResponders, NO_MESSAGE_FOUND, STREAM_NAME_IN_USE, STREAM_NOT_FOUND } from "./nats-api.ts";
import type { NatsLink } from "./nats-link.ts";
import { unavailable } from "./unavailable.ts";

export interface NatsStreamsOptions {
  readonly name: string;
  readonly replicas: number;
  readonly aliveMs: number;
}

const NS_PER_MS = 1_000_000;
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
    readonly first_seq: number;
    readonly last_seq: number;
    readonly subjects?: Readonly<Record<string, number>>;
  };
}

export class NatsStreams {
  readonly #link: NatsLink;
  readonly #options: NatsStreamsOptions;
  /** The most that was asked for, here or by whoever made the stream. */
  #keep: HistoryLimits = { size: 1, ttlMs: 60_000 };
  #opening: Promise<StreamInfo> | undefined;
  #growing: Promise<void> | undefined;
  #epoch = 0;

  constructor(link: NatsLink, options: NatsStreamsOptions) {
    this.#link = link;
    this.#options = options;
  }

  /** When the stream was made, in milliseconds: what makes the ids of a new one greater than those of the one before. */
  get epoch(): number {
    return this.#epoch;
  }

  get name(): string {
    return this.#options.name;
  }

  get keep(): HistoryLimits {
    return this.#keep;
  }

  /** To be opened again: the server may be another one. */
  forget(): void {
    this.#opening = undefined;
  }

  /** Makes the streams if they are not there. Asked again after the connection was lost. */
  open(): Promise<StreamInfo> {
    this.#opening ??= this.#openAll().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** The message stream as it is now. */
  async info(): Promise<StreamInfo> {
    this.#opening = undefined;
    return this.open();
  }

  /** Publishes to a subject of one of the streams; the sequence once the server has it. */
  async publish(subject: string, payload: Uint8Array): Promise<number> {
    for (let attempt = 0; ; attempt++) {
      // Not awaited without need: what is published in one turn leaves in one piece, in order.
      if (this.#epoch === 0 || this.#opening === undefined) await this.open();
      try {
        return (await this.#link.ask<{ readonly seq: number }>(subject, payload)).seq;
      } catch (error) {
        // Nobody took it: the stream is gone, so it can be made and the message published again without doubling it.
        if (!isNoResponders(error) || attempt > 0) throw unavailable(error);
        this.#opening = undefined;
      }
    }
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
    if (this.#growing !== undefined || this.#opening === undefined || this.#epoch === 0) return false;
    return size <= this.#keep.size && ttlMs <= this.#keep.ttlMs;
  }

  /** Of the group's last message; undefined when there is none. */
  async lastOf(subject: string): Promise<string | undefined> {
    const sequence = await this.#find({ last_by_subj: subject });
    return sequence === undefined ? undefined : `${this.#epoch}-${sequence}`;
  }

  /** Whether messages of a group that came after `sequence` are gone; `limit`: how many the stream keeps. */
  async isMissing(subject: string, sequence: number, limit: number, mayHaveExpired: boolean): Promise<boolean> {
    const first = await this.#find({ seq: 1, next_by_subj: subject });
    // An older one is still there: trimming begins with the oldest.
    if (first !== undefined && first <= sequence) return false;
    if (mayHaveExpired) return true;
    if (first === undefined || limit < 0) return false;
    const { state } = await this.#link.api<StreamInfo>(`STREAM.INFO.${this.name}`, { subjects_filter: subject });
    return (state.subjects?.[subject] ?? 0) >= limit;
  }

  async #find(request: object): Promise<number | undefined> {
    try {
      const answer = await this.#link.api<{ message: { seq: number } }>(`STREAM.MSG.GET.${this.name}`, request);
      return answer.message.seq;
    } catch (error) {
      if (isApiError(error, NO_MESSAGE_FOUND)) return undefined;
      throw error;
    }
  }

  async #openAll(): Promise<StreamInfo> {
    const { name, aliveMs } = this.#options;
    const small = { storage: "memory", max_msgs_per_subject: 1 };
    const [info] = await Promise.all([
      this.#ensure(name, this.#messagesConfig({ max_msgs_per_subject: 1, max_age: 1 })),
      this.#ensure(`${name}-members`, { subjects: [`${name}.m.>`], ...small, ...ageOf(MEMBER_TTL_MS) }),
      this.#ensure(`${name}-alive`, { subjects: [`${name}.a.>`], ...small, ...ageOf(aliveMs) }),
    ]);
    this.#epoch = Date.parse(info.created);
    const { max_msgs_per_subject: size, max_age } = info.config;
    const found = { size: size < 0 ? Infinity : size, ttlMs: max_age === 0 ? Infinity : max_age / NS_PER_MS };
    if (found.size >= this.#keep.size && found.ttlMs >= this.#keep.ttlMs) {
      this.#keep = found;
      return info;
    }
    // Made anew by a process that never published.
    this.#keep = { size: Math.max(found.size, this.#keep.size), ttlMs: Math.max(found.ttlMs, this.#keep.ttlMs) };
    return this.#link.api<StreamInfo>(`STREAM.UPDATE.${name}`, {
      ...info.config,
      ...this.#messagesConfig(info.config),
    });
  }

  async #ensure(name: string, config: object): Promise<StreamInfo> {
    try {
      return await this.#link.api<StreamInfo>(`STREAM.INFO.${name}`);
    } catch (error) {
      if (!isApiError(error, STREAM_NOT_FOUND)) throw error;
    }
    try {
      const common = { name, retention: "limits", discard: "old", num_replicas: this.#options.replicas };
      return await this.#link.api<StreamInfo>(`STREAM.CREATE.${name}`, { ...common, ...config });
    } catch (error) {
      // Another process was faster, with other limits.
      if (!isApiError(error, STREAM_NAME_IN_USE)) throw error;
      return this.#link.api<StreamInfo>(`STREAM.INFO.${name}`);
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

function ageOf(ms: number): { readonly max_age: number; readonly duplicate_window: number } {
  if (!Number.isFinite(ms)) return { max_age: 0, duplicate_window: DUPLICATE_WINDOW_MS * NS_PER_MS };
  const kept = Math.ceil(ms);
  return { max_age: kept * NS_PER_MS, duplicate_window: Math.min(kept, DUPLICATE_WINDOW_MS) * NS_PER_MS };
}
