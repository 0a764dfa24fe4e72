// The last values of groups over NATS: the last message of a subject for each key, in a stream of their own. It is written after
// the message of the group, and only over a value with an earlier id: two processes may write the same key at once.

import type { BackplaneEntry, BackplaneKey } from "../backplane.ts";
import { unavailable } from "../unavailable.ts";
import type { NatsLink } from "./connection.ts";
import { deleteMessages } from "./delete-messages.ts";
import { findMessage, type StoredMessage } from "./find-message.ts";
import { NatsLastValues } from "./last-values.ts";
import { MAX_AGE_MS, NS_PER_MS, sequenceOf, toNatsId } from "./message.ts";
import { decodeNamed, encodeNamed } from "./named-bytes.ts";
import { readLast } from "./read.ts";
import { subjectCounts } from "./subject-counts.ts";
import { nameToken } from "./subjects.ts";

/** Writers of one key at once that get in each other's way so many times have to publish again. */
const MAX_ATTEMPTS = 20;
/** A group that is full loses this part of its keys at once: they have to be read for it. */
const DROPPED_PART = 10;

/** The value of a key; without a payload: it was removed. */
interface Stored {
  /** Sequence of the message with the value. */
  readonly sequence: number;
  /** Id of the entry that was published with it. */
  readonly id: number;
  readonly payload: Uint8Array | undefined;
}

export class NatsLatest {
  readonly #link: NatsLink;
  readonly #name: string;
  readonly #values: NatsLastValues;
  /** The longest time for which values are kept, as far as this process knows. */
  #ttlMs = 0;

  constructor(link: NatsLink, { name, replicas }: { readonly name: string; readonly replicas: number }) {
    this.#link = link;
    this.#name = name;
    this.#values = new NatsLastValues(link, { replicas, probe: `${name}.l.probe`, open: () => this.#open() });
  }

  /** Makes the next call open the stream again: the server may be another one. */
  forget(): void {
    this.#values.forget();
  }

  /** Writes the value of a key, unless a later one is there. `id`: that of the entry in the stream of the group. */
  async put(group: string, id: string, payload: Uint8Array, of: BackplaneKey): Promise<void> {
    if (of.ttlMs > this.#ttlMs) {
      this.#ttlMs = of.ttlMs;
      this.#values.forget();
    }
    const sequence = sequenceOf(id)!;
    const subject = `${this.#prefix(group)}${nameToken(of.key)}`;
    const data = encodeNamed({ key: id, payload: of.isRemoved ? new Uint8Array() : Buffer.concat([PRESENT, payload]) });
    await this.#values.using(async () => {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const { last, stored } = await this.#find(subject);
        if (stored !== undefined && stored.id >= sequence) return;
        if ((await this.#values.write(subject, data, last)) === undefined) continue;
        if (stored === undefined) await this.#limit(group, of.maxKeys);
        return;
      }
      throw unavailable("too many processes write the value of one key");
    });
  }

  async read(group: string): Promise<readonly BackplaneEntry[]> {
    const values = await this.#values.using(() => this.#read(group));
    return values.flatMap(({ id, payload }) => (payload === undefined ? [] : [{ id: toNatsId(id), payload }]));
  }

  async #open(): Promise<void> {
    const max_age = this.#ttlMs === 0 || this.#ttlMs > MAX_AGE_MS ? 0 : Math.ceil(this.#ttlMs) * NS_PER_MS;
    const duplicates = max_age === 0 ? {} : { duplicate_window: Math.min(max_age, 120_000 * NS_PER_MS) };
    const { config } = await this.#values.ensure(this.#stream, {
      subjects: [`${this.#name}.l.>`],
      max_age,
      ...duplicates,
    });
    // The longest time that any process asks for counts.
    if (config.max_age === 0 || (max_age !== 0 && max_age <= config.max_age) || this.#ttlMs === 0) return;
    await this.#link.api(`STREAM.UPDATE.${this.#stream}`, { ...config, max_age });
  }

  async #find(subject: string): Promise<{ readonly last: number; readonly stored: Stored | undefined }> {
    const found = await findMessage(this.#link, this.#stream, { last_by_subj: subject });
    return found === undefined ? { last: 0, stored: undefined } : { last: found.sequence, stored: decode(found) };
  }

  async #read(group: string): Promise<readonly Stored[]> {
    const found = await readLast(this.#link, this.#stream, `${this.#prefix(group)}*`);
    return found.flatMap((message) => decode(message) ?? []);
  }

  /** Removes the keys with the oldest values of a group that has too many. */
  async #limit(group: string, maxKeys: number): Promise<void> {
    const subjects = await subjectCounts(this.#link, this.#stream, `${this.#prefix(group)}*`);
    if (subjects.size <= maxKeys) return;
    const values = (await this.#read(group)).toSorted((a, b) => a.id - b.id);
    const kept = Math.floor(maxKeys - maxKeys / DROPPED_PART);
    // A value that was replaced meanwhile stays: it is a newer one.
    const dropped = values.slice(0, Math.max(0, values.length - kept));
    await deleteMessages(this.#link, this.#stream, dropped);
  }

  get #stream(): string {
    return `${this.#name}-latest`;
  }

  #prefix(group: string): string {
    return `${this.#name}.l.${nameToken(group)}.`;
  }
}

/** Tells an empty payload from a removed value. */
const PRESENT = Uint8Array.of(1);

/** Returns undefined for a message that no backplane wrote. */
function decode({ sequence, data }: StoredMessage): Stored | undefined {
  if (data.length < 4) return undefined;
  const { key, payload } = decodeNamed(data);
  const id = sequenceOf(key);
  if (id === undefined) return undefined;
  return { sequence, id, payload: payload.length === 0 ? undefined : payload.subarray(1) };
}
