// The records of a service over NATS: the last message of a subject for each, in a stream of their own. A message without data is a
// deleted record.

import { areEqual } from "../../base/bytes.ts";
import type { BackplaneRecords } from "../backplane.ts";
import type { BrokerRecords } from "../broker-backplane.ts";
import { unavailable } from "../unavailable.ts";
import type { NatsLink } from "./connection.ts";
import { NatsConsumer } from "./consumer.ts";
import { findMessage } from "./find-message.ts";
import { NatsLastValues } from "./last-values.ts";
import { decodeNamed, encodeNamed } from "./named-bytes.ts";
import { nameToken } from "./subjects.ts";

/** Records of one answer. */
const LISTED = 500;
/** Signs of life without a message after which there is none. */
const SILENT_BEATS = 3;
/** Number of consumers of which the server sends nothing, though something should follow, before that is an error. */
const MAX_LISTINGS = 4;

interface StoredRecord {
  /** 0 if the subject has no message. */
  readonly sequence: number;
  readonly value: Uint8Array | undefined;
}

export class NatsRecords implements BrokerRecords {
  readonly #link: NatsLink;
  readonly #name: string;
  readonly #values: NatsLastValues;

  constructor(link: NatsLink, { name, replicas }: { readonly name: string; readonly replicas: number }) {
    this.#link = link;
    this.#name = name;
    this.#values = new NatsLastValues(link, {
      replicas,
      probe: `${name}.r.probe`,
      open: async () => void (await this.#values.ensure(this.#stream, { subjects: [`${name}.r.>`] })),
    });
  }

  /** Makes the next call open the stream again: the server may be another one. */
  forget(): void {
    this.#values.forget();
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return (await this.#values.using(() => this.#find(this.#subject(name)))).value;
  }

  swap(name: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    const subject = this.#subject(name);
    return this.#values.using(async () => {
      const { sequence, value } = await this.#find(subject);
      if (!areEqual(value, expected)) return false;
      if (next === undefined && sequence === 0) return true;
      const data = next === undefined ? new Uint8Array() : encodeNamed({ key: name, payload: next });
      const written = await this.#values.write(subject, data, sequence);
      if (written === undefined) return false;
      // Removes the message without data, and keeps a later one.
      if (next === undefined) {
        const filter = { filter: subject, seq: written + 1 };
        await this.#link.api(`STREAM.PURGE.${this.#stream}`, filter).catch(() => {});
      }
      return true;
    });
  }

  list(from = "1"): Promise<BackplaneRecords> {
    return this.#values.using(async () => {
      for (let attempt = 1; attempt <= MAX_LISTINGS; attempt++) {
        const answer = await this.#listFrom(from);
        if (answer !== "nothing came") return answer;
      }
      throw unavailable("the server does not deliver the records that it has");
    });
  }

  /** `nothing came`: the server has said that messages follow, and has sent none. They were removed, or it is slow. */
  async #listFrom(from: string): Promise<BackplaneRecords | "nothing came"> {
    const consumer = new NatsConsumer(this.#link, this.#link.timeoutMs);
    const stopWaiting = this.#link.whenClosed(() => consumer.end(unavailable("closed")));
    try {
      const records: { readonly name: string; readonly value: Uint8Array }[] = [];
      let pending = await consumer.begin(this.#stream, {
        ...{ filter_subject: `${this.#name}.r.>`, deliver_policy: "by_start_sequence" },
        opt_start_seq: Number(from),
      });
      // Only a new consumer knows that nothing follows: where records are removed meanwhile, the server counts too few (2.9.10).
      let next: string | undefined;
      while (pending > 0 && records.length < LISTED) {
        const found = consumer.take();
        if (found === undefined) {
          if (consumer.isOver) throw consumer.failure ?? unavailable("the connection was lost while records were read");
          // The next answer begins where this one ends.
          if (next !== undefined && consumer.hasIdled(1)) break;
          if (consumer.hasIdled(SILENT_BEATS)) return "nothing came";
          await consumer.arrival();
          continue;
        }
        pending = found.position.pending;
        next = String(found.position.sequence + 1);
        if (found.message.data.length === 0) continue;
        const { key, payload } = decodeNamed(found.message.data);
        records.push({ name: key, value: payload });
      }
      return { records, next };
    } finally {
      stopWaiting();
      consumer.end();
    }
  }

  get #stream(): string {
    return `${this.#name}-records`;
  }

  #subject(name: string): string {
    return `${this.#name}.r.${nameToken(name)}`;
  }

  async #find(subject: string): Promise<StoredRecord> {
    const found = await findMessage(this.#link, this.#stream, { last_by_subj: subject });
    if (found === undefined) return { sequence: 0, value: undefined };
    const { sequence, data } = found;
    return { sequence, value: data.length === 0 ? undefined : decodeNamed(data).payload };
  }
}
