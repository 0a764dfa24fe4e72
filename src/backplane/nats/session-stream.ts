// The streams of the session store over NATS, through the JetStream API. One has the records of sessions, the parts of large
// snapshots and the addresses of processes; it keeps the last message of each subject, for a limited time. Another one has the
// secret of the service, for ever.

import { unavailable } from "../unavailable.ts";
import type { NatsLink } from "./connection.ts";
import { deleteMessage } from "./delete-messages.ts";
import { findMessage, type StoredMessage } from "./find-message.ts";
import { NatsLastValues, type StreamInfo } from "./last-values.ts";
import { NS_PER_MS } from "./message.ts";

/** Lifetime of messages in a new stream: a time to live that is longer than half of it raises it. */
const MIN_AGE_MS = 600_000;
/**
 * Time after which the server's clock, and the lifetime of messages, are read again: both may be changed by others. Between two
 * readings this process counts with a clock that never jumps.
 */
const READ_AGAIN_MS = 30_000;
/** A reading of the server's clock that took longer is used once, and not kept. */
const MAX_READING_MS = 1000;

export class NatsSessionStream {
  readonly #link: NatsLink;
  readonly #name: string;
  readonly #values: NatsLastValues;
  /** Lifetime of messages in the stream of sessions, in milliseconds. */
  #ageMs = 0;
  /** A time of the server, and the time of this process at the same moment. */
  #reading: { readonly serverMs: number; readonly atMs: number } | undefined;
  #readingNow: Promise<number> | undefined;
  #growing: Promise<void> | undefined;

  constructor(link: NatsLink, { name, replicas }: { readonly name: string; readonly replicas: number }) {
    this.#link = link;
    this.#name = name;
    const probe = `${name}.s.probe`;
    this.#values = new NatsLastValues(link, { replicas, probe, open: () => this.#open() });
  }

  /** Subject of the secret. */
  get secret(): string {
    return `${this.#name}.secret`;
  }

  /** Subject of something about a session or a process. `kind`: one letter or word. */
  subject(kind: string, token: string): string {
    return `${this.#name}.s.${kind}.${token}`;
  }

  /** Makes the next operation open the streams again: the server may be another one. */
  forget(): void {
    this.#values.forget();
    this.#reading = undefined;
  }

  /** See `NatsLastValues`. */
  using<T>(run: () => Promise<T>): Promise<T> {
    return this.#values.using(run);
  }

  /** See `NatsLastValues`. */
  write(subject: string, data: Uint8Array, last: number): Promise<number | undefined> {
    return this.#values.write(subject, data, last);
  }

  /** Writes a message whatever the last one of its subject is. Resolves to its sequence. */
  async overwrite(subject: string, data: Uint8Array): Promise<number> {
    return (await this.#link.ask<{ readonly seq: number }>(subject, data)).seq;
  }

  /** Finds the last message of a subject, or the message with a sequence. */
  find(which: string | number): Promise<StoredMessage | undefined> {
    const stream = which === this.secret ? this.#secretStream : this.#sessionStream;
    const request = typeof which === "string" ? { last_by_subj: which } : { seq: which };
    return findMessage(this.#link, stream, request);
  }

  /** Deletes the message with a sequence. Resolves to false if it was not there. */
  delete(sequence: number): Promise<boolean> {
    return deleteMessage(this.#link, this.#sessionStream, sequence);
  }

  /** Returns the time of the server in milliseconds. */
  async now(): Promise<number> {
    const reading = this.#reading;
    const now = this.#link.clock.now();
    if (reading !== undefined && now - reading.atMs < READ_AGAIN_MS) return reading.serverMs + now - reading.atMs;
    this.#readingNow ??= this.#read().finally(() => {
      this.#readingNow = undefined;
    });
    return this.#readingNow;
  }

  /** Lifetime of messages in the stream, as far as known. */
  get ageMs(): number {
    return this.#ageMs;
  }

  /** Makes sure that a message lives for `ttl` milliseconds at least. */
  async keep(ttl: number): Promise<void> {
    while (this.#ageMs < ttl) {
      this.#growing ??= this.#grow(ttl).finally(() => {
        this.#growing = undefined;
      });
      await this.#growing;
    }
  }

  get #sessionStream(): string {
    return `${this.#name}-sessions`;
  }

  get #secretStream(): string {
    return `${this.#name}-secret`;
  }

  async #grow(ttl: number): Promise<void> {
    const { config } = await this.#link.api<StreamInfo>(`STREAM.INFO.${this.#sessionStream}`);
    const max_age = Math.max(config.max_age, 2 * ttl * NS_PER_MS);
    const grown = await this.#link.api<StreamInfo>(`STREAM.UPDATE.${this.#sessionStream}`, { ...config, max_age });
    this.#ageMs = grown.config.max_age / NS_PER_MS;
  }

  /** JetStream tells the time only with a message that it has stored. */
  async #read(): Promise<number> {
    const subject = `${this.#name}.s.now`;
    const started = this.#link.clock.now();
    await this.overwrite(subject, new Uint8Array());
    // Another process may have written one meanwhile, which is as good.
    const [found, info] = await Promise.all([
      this.find(subject),
      this.#link.api<StreamInfo>(`STREAM.INFO.${this.#sessionStream}`),
    ]);
    if (found === undefined) throw unavailable("the stream of sessions was emptied");
    this.#ageMs = info.config.max_age / NS_PER_MS;
    const ended = this.#link.clock.now();
    if (ended - started <= MAX_READING_MS) this.#reading = { serverMs: found.atMs, atMs: (started + ended) / 2 };
    return found.atMs;
  }

  async #open(): Promise<void> {
    this.#reading = undefined;
    const [sessions] = await Promise.all([
      this.#values.ensure(this.#sessionStream, {
        subjects: [`${this.#name}.s.>`],
        max_age: MIN_AGE_MS * NS_PER_MS,
        duplicate_window: 1000 * NS_PER_MS,
      }),
      this.#values.ensure(this.#secretStream, { subjects: [this.secret] }),
    ]);
    this.#ageMs = sessions.config.max_age / NS_PER_MS;
  }
}
