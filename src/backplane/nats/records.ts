// The records of a service over NATS: the last message of a subject for each, in a stream of their own. A message without data is a
// deleted record.

import { areEqual } from "../../base/bytes.ts";
import type { BackplaneRecords } from "../backplane.ts";
import type { BrokerRecords } from "../broker-backplane.ts";
import type { NatsLink } from "./connection.ts";
import { deleteMessage } from "./delete-messages.ts";
import { findMessage } from "./find-message.ts";
import { NatsLastValues } from "./last-values.ts";
import { decodeNamed, encodeNamed } from "./named-bytes.ts";
import { readLast } from "./read.ts";
import { nameToken } from "./subjects.ts";

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
      // Without the message, which has no data, the record is as deleted as with it.
      if (next === undefined) await deleteMessage(this.#link, this.#stream, written).catch(() => {});
      return true;
    });
  }

  /** All in one answer: one that is changed while several are read would move from one to the next. */
  async list(): Promise<BackplaneRecords> {
    const found = await this.#values.using(() => readLast(this.#link, this.#stream, `${this.#name}.r.>`));
    const records = found.flatMap(({ data }) => {
      if (data.length === 0) return [];
      const { key, payload } = decodeNamed(data);
      return [{ name: key, value: payload }];
    });
    return { records, next: undefined };
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
