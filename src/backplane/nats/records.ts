// The records of a service over NATS: the last message of a subject for each, in a stream of their own. A record is written only if
// the last message of its subject is the one that was read, which makes a swap atomic. A message without data is a deleted record.

import { areEqual } from "../../base/bytes.ts";
import type { BackplaneRecords } from "../backplane.ts";
import type { BrokerRecords } from "../broker-backplane.ts";
import { unavailable } from "../unavailable.ts";
import {
  isApiError,
  isNoResponders,
  NO_MESSAGE_FOUND,
  STREAM_NAME_IN_USE,
  STREAM_NOT_FOUND,
  WRONG_LAST_SEQUENCE,
} from "./api.ts";
import type { NatsLink } from "./connection.ts";
import { NatsConsumer } from "./consumer.ts";
import { decodeNamed, encodeNamed } from "./named-bytes.ts";
import { nameToken } from "./subjects.ts";

/** Records of one answer. */
const LISTED = 500;
/** Signs of life without a message after which there is none. */
const SILENT_BEATS = 3;
/** No message has this sequence. */
const IMPOSSIBLE_SEQUENCE = Number.MAX_SAFE_INTEGER;
/** Time for which a deleted stream is left alone before it is created again: see `streams.ts`. */
const REMAKE_MS = 500;

interface StoredRecord {
  /** 0 if the subject has no message. */
  readonly sequence: number;
  readonly value: Uint8Array | undefined;
}

export class NatsRecords implements BrokerRecords {
  readonly #link: NatsLink;
  readonly #name: string;
  readonly #replicas: number;
  #opening: Promise<void> | undefined;
  #wasOpen = false;

  constructor(link: NatsLink, { name, replicas }: { readonly name: string; readonly replicas: number }) {
    this.#link = link;
    this.#name = name;
    this.#replicas = replicas;
  }

  /** Makes the next call open the stream again: the server may be another one. */
  forget(): void {
    this.#opening = undefined;
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return (await this.#using(() => this.#find(this.#subject(name)))).value;
  }

  swap(name: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    const subject = this.#subject(name);
    return this.#using(async () => {
      const { sequence, value } = await this.#find(subject);
      if (!areEqual(value, expected)) return false;
      if (next === undefined && sequence === 0) return true;
      const data = next === undefined ? new Uint8Array() : encodeNamed({ key: name, payload: next });
      const written = await this.#write(subject, data, sequence);
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
    return this.#using(async () => {
      const consumer = new NatsConsumer(this.#link, this.#link.timeoutMs);
      const stopWaiting = this.#link.whenClosed(() => consumer.end(unavailable("closed")));
      try {
        const records: { readonly name: string; readonly value: Uint8Array }[] = [];
        let pending = await consumer.begin(this.#stream, {
          ...{ filter_subject: `${this.#name}.r.>`, deliver_policy: "by_start_sequence" },
          opt_start_seq: Number(from),
        });
        let next: string | undefined;
        while (pending > 0 && records.length < LISTED) {
          const found = consumer.take();
          if (found === undefined) {
            if (consumer.isOver)
              throw consumer.failure ?? unavailable("the connection was lost while records were read");
            // Messages were removed before it could deliver them, or the server is slow: the next answer begins here, and knows.
            if (consumer.hasIdled(next === undefined ? SILENT_BEATS : 1)) break;
            await consumer.arrival();
            continue;
          }
          pending = found.position.pending;
          next = String(found.position.sequence + 1);
          if (found.message.data.length === 0) continue;
          const { key, payload } = decodeNamed(found.message.data);
          records.push({ name: key, value: payload });
        }
        // Only a new consumer knows that nothing follows: where records are removed meanwhile, the server counts too few (2.9.10).
        return { records, next };
      } finally {
        stopWaiting();
        consumer.end();
      }
    });
  }

  get #stream(): string {
    return `${this.#name}-records`;
  }

  #subject(name: string): string {
    return `${this.#name}.r.${nameToken(name)}`;
  }

  async #find(subject: string): Promise<StoredRecord> {
    try {
      const { message } = await this.#link.api<{ readonly message: { readonly seq: number; readonly data?: string } }>(
        `STREAM.MSG.GET.${this.#stream}`,
        { last_by_subj: subject },
      );
      const data = Buffer.from(message.data ?? "", "base64");
      return { sequence: message.seq, value: data.length === 0 ? undefined : decodeNamed(data).payload };
    } catch (error) {
      if (isApiError(error, NO_MESSAGE_FOUND)) return { sequence: 0, value: undefined };
      throw error;
    }
  }

  /** Resolves to the sequence of the message; undefined if the last one of the subject does not have the sequence `last`. */
  async #write(subject: string, data: Uint8Array, last: number): Promise<number | undefined> {
    const field = `NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: ${last}\r\n\r\n`;
    try {
      return (await this.#link.ask<{ readonly seq: number }>(subject, data, { encode: () => Buffer.from(field) })).seq;
    } catch (error) {
      if (isApiError(error, ...WRONG_LAST_SEQUENCE)) return undefined;
      throw error;
    }
  }

  /** Runs a function that needs the stream, again if it turns out to be gone. Nothing was written then. */
  async #using<T>(run: () => Promise<T>): Promise<T> {
    await this.#open();
    try {
      return await run();
    } catch (error) {
      if (!isNoResponders(error) && !isApiError(error, STREAM_NOT_FOUND)) throw error;
      this.forget();
      await this.#open();
      return run();
    }
  }

  #open(): Promise<void> {
    if (this.#opening !== undefined) return this.#opening;
    const opening = this.#ensure().catch((error: unknown) => {
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    });
    this.#opening = opening;
    return opening;
  }

  async #ensure(): Promise<void> {
    if (!(await this.#exists())) {
      if (this.#wasOpen) await this.#link.pause(REMAKE_MS);
      await this.#create();
    }
    this.#wasOpen = true;
    // A client that does not send the header would let two processes write one record.
    const sequence = await this.#write(`${this.#name}.r.probe`, new Uint8Array(), IMPOSSIBLE_SEQUENCE);
    if (sequence !== undefined) throw unavailable("the NATS client does not send headers");
  }

  async #exists(): Promise<boolean> {
    try {
      await this.#link.api(`STREAM.INFO.${this.#stream}`);
      return true;
    } catch (error) {
      if (isApiError(error, STREAM_NOT_FOUND)) return false;
      throw error;
    }
  }

  async #create(): Promise<void> {
    try {
      await this.#link.api(`STREAM.CREATE.${this.#stream}`, {
        ...{ name: this.#stream, subjects: [`${this.#name}.r.>`], num_replicas: this.#replicas },
        ...{ retention: "limits", discard: "old", storage: "file", max_msgs_per_subject: 1 },
      });
    } catch (error) {
      // Another process was faster.
      if (!isApiError(error, STREAM_NAME_IN_USE)) throw error;
    }
  }
}
