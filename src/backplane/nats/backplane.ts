// The backplane over NATS JetStream, server 2.9 and later. One stream with a subject for each group carries the messages and
// keeps them. A process reads the whole stream with one consumer and picks the messages of its groups.

import { randomUUID } from "node:crypto";
import { type Clock, systemClock } from "../../base/clock.ts";
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
import type { NatsConnection } from "./api.ts";
import { checkConnection, STREAM_OPTIONS } from "./checks.ts";
import { NatsLink } from "./connection.ts";
import type { StoredMessage } from "./find-message.ts";
import { NatsLatest } from "./latest.ts";
import { sequenceOf, toNatsId, unwrap, wrap } from "./message.ts";
import { NatsPresence } from "./presence.ts";
import { readSequences } from "./read.ts";
import { NatsReader } from "./reader.ts";
import { NatsRecords } from "./records.ts";
import { NatsStreams } from "./streams.ts";
import { nameToken } from "./subjects.ts";

/** The options of `natsBackplane`. */
export interface NatsBackplaneOptions extends BrokerOptions {
  /** Name of the stream and prefix of all its subjects: letters, digits, `-` and `_`. @default "unichannel" */
  readonly name?: string | undefined;
  /** Number of servers of a NATS cluster that hold the streams. Used when the streams are created. @default 1 */
  readonly replicas?: number | undefined;
}

const NATS_OPTIONS: Readonly<Record<keyof NatsBackplaneOptions, ValueCheck>> = { ...BROKER_OPTIONS, ...STREAM_OPTIONS };

/**
 * A backplane over NATS JetStream. `connection` is a connection of `@nats-io/transport-node` (3) or `nats` (2); it stays yours.
 * Let it reconnect for ever (`maxReconnectAttempts: -1`): a connection that has given up cannot be used any more.
 */
export function natsBackplane(connection: NatsConnection, options: NatsBackplaneOptions = {}): Backplane {
  return new NatsBackplane(connection, options, systemClock);
}

class NatsBackplane extends BrokerBackplane {
  protected readonly presence: NatsPresence;
  protected readonly records: NatsRecords;
  readonly #link: NatsLink;
  readonly #streams: NatsStreams;
  readonly #reader: NatsReader;
  readonly #latest: NatsLatest;

  constructor(connection: NatsConnection, options: NatsBackplaneOptions, clock: Clock) {
    super();
    checkOptions("natsBackplane", options, NATS_OPTIONS);
    checkConnection("the first argument of natsBackplane", connection);
    const { name = "unichannel", replicas = 1 } = options;
    const { timeoutMs, maxPendingBytes, aliveMs, onError } = toBrokerSettings(options, "unichannel/nats");
    this.#link = new NatsLink(connection, {
      ...{ clock, timeoutMs, maxPendingBytes, onError },
      onDown: () => {
        this.#streams.forget();
        this.records.forget();
        this.#latest.forget();
      },
      onUp: () => this.#resume(),
    });
    this.#streams = new NatsStreams(this.#link, {
      ...{ name, replicas, aliveMs },
      onAnother: () => this.#reader.restart(),
      onForgotten: () => this.presence.announceAgain(),
    });
    this.records = new NatsRecords(this.#link, { name, replicas });
    this.#latest = new NatsLatest(this.#link, { name, replicas });
    this.#reader = new NatsReader(this.#link, this.#streams, onError);
    const processId = nameToken(randomUUID());
    this.presence = new NatsPresence(this.#link, this.#streams, { clock, processId, aliveMs, onError });
  }

  async publish(group: string, payload: Uint8Array, keep: HistoryLimits): Promise<string> {
    const subject = this.#subject(group);
    const bytes = wrap(payload);
    return this.ask(async () => {
      // Awaited only where necessary: messages of one turn stay in order.
      if (!this.#streams.isKept(keep)) await this.#streams.grow(keep);
      return toNatsId(await this.#streams.publisher.append(subject, bytes));
    });
  }

  async publishLatest(group: string, payload: Uint8Array, keep: HistoryLimits, of: BackplaneKey): Promise<string> {
    const id = await this.publish(group, payload, keep);
    await this.ask(() => this.#latest.put(group, id, payload, of));
    return id;
  }

  latest(group: string): Promise<readonly BackplaneEntry[]> {
    return this.ask(() => this.#latest.read(group));
  }

  async history(group: string, since?: string): Promise<BackplaneHistory> {
    const sequence = since === undefined ? undefined : sequenceOf(since);
    return this.ask(() =>
      this.#streams.using(async () => {
        if (sequence !== undefined) {
          const { messages, first } = await this.#read(group, sequence);
          // Reads from `since` itself on: while the stream has that message, it has all later ones.
          if (messages[0]?.sequence === sequence) return { entries: toEntries(messages.slice(1)), reset: false };
          // The id is older than all messages that are kept.
          if (first > sequence) return { entries: toEntries(messages), reset: true };
        }
        const { messages } = await this.#read(group, 1);
        return { entries: toEntries(messages), reset: since !== undefined };
      }),
    );
  }

  compareIds(a: string, b: string): number {
    return Number(a) - Number(b);
  }

  isId(text: string): boolean {
    return sequenceOf(text) !== undefined;
  }

  protected async read(
    group: string,
    listener: BackplaneListener,
    isWanted: () => boolean,
  ): Promise<string | undefined> {
    await this.#reader.ready();
    return isWanted() ? this.#reader.add(this.#subject(group), listener) : undefined;
  }

  protected stopReading(group: string): void {
    this.#reader.delete(this.#subject(group));
  }

  protected async end(): Promise<void> {
    this.#reader.close();
    await this.presence.close();
    this.#link.close();
  }

  /** Reads the kept messages of a group from a sequence on, and the first sequence that is kept (Infinity: none). */
  async #read(group: string, from: number): Promise<{ readonly messages: StoredMessage[]; readonly first: number }> {
    const subject = this.#subject(group);
    const last = await this.#streams.find({ lastOf: subject });
    if (last === undefined) return { messages: [], first: Number.POSITIVE_INFINITY };
    const found = await readSequences(this.#link, { stream: this.#streams.name, subject, from, until: last.sequence });
    // A message that the stream still has was in it all the time. Messages that were removed meanwhile may have followed others
    // that were removed before they were read.
    const first = (await this.#streams.find({ firstOf: subject }))?.sequence ?? Number.POSITIVE_INFINITY;
    return { messages: found.filter(({ sequence }) => sequence >= first), first };
  }

  #resume(): void {
    if (this.isClosed) return;
    this.#reader.restart();
    this.presence.announceAgain();
  }

  #subject(group: string): string {
    return `${this.#streams.name}.g.${nameToken(group)}`;
  }
}

/** Leaves out messages that no backplane wrote. */
function toEntries(messages: readonly StoredMessage[]): BackplaneEntry[] {
  const entries: BackplaneEntry[] = [];
  for (const { data, sequence } of messages) {
    const payload = unwrap(data);
    if (payload !== undefined) entries.push({ id: toNatsId(sequence), payload });
  }
  return entries;
}
