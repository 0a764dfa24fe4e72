// Streams that keep the last message of each subject: the records of a service, and the sessions on their way between processes.
// A message is written only if the last one of its subject is the expected one: this makes a change atomic.

import { unavailable } from "../unavailable.ts";
import { isApiError, isNoResponders, STREAM_NOT_FOUND, WRONG_LAST_SEQUENCE } from "./api.ts";
import type { NatsLink } from "./connection.ts";
import { ensureStream } from "./ensure-stream.ts";

/** The parts that are used of what the server tells of a stream. */
export interface StreamInfo {
  readonly config: { readonly max_age: number; readonly [key: string]: unknown };
}

export interface LastValuesOptions {
  readonly replicas: number;
  /** A subject of one of the streams, to which nothing is ever written. */
  readonly probe: string;
  /** Finds or makes the streams, with `ensure`. Called again when they may be gone. */
  readonly open: () => Promise<void>;
}

/** No message has this sequence. */
const IMPOSSIBLE_SEQUENCE = Number.MAX_SAFE_INTEGER;
/** Number of times that an operation is begun if the streams turn out to be gone each time. */
const MAX_ATTEMPTS = 3;

export class NatsLastValues {
  readonly #link: NatsLink;
  readonly #options: LastValuesOptions;
  #opening: Promise<void> | undefined;
  /** True if the streams were found at least once. */
  #wasOpen = false;

  constructor(link: NatsLink, options: LastValuesOptions) {
    this.#link = link;
    this.#options = options;
  }

  /** Makes the next operation open the streams again: the server may be another one. */
  forget(): void {
    this.#opening = undefined;
  }

  /** Runs a function that needs the streams, again if they turn out to be gone. Nothing was written then. */
  async using<T>(run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      await this.#open();
      try {
        return await run();
      } catch (error) {
        const isGone = isNoResponders(error) || isApiError(error, STREAM_NOT_FOUND);
        if (!isGone || attempt === MAX_ATTEMPTS) throw error;
        this.forget();
      }
    }
  }

  /**
   * Writes a message, if the last one of its subject has the sequence `last` (0: if there is none). Resolves to its sequence, or
   * to undefined if the last message is another one.
   */
  async write(subject: string, data: Uint8Array, last: number): Promise<number | undefined> {
    const field = `NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: ${last}\r\n\r\n`;
    try {
      return (await this.#link.ask<{ readonly seq: number }>(subject, data, { encode: () => Buffer.from(field) })).seq;
    } catch (error) {
      if (isApiError(error, ...WRONG_LAST_SEQUENCE)) return undefined;
      throw error;
    }
  }

  /** Finds a stream, or creates it. `config`: in addition to what all of them have. */
  ensure(name: string, config: object): Promise<StreamInfo> {
    const { replicas } = this.#options;
    const common = { retention: "limits", discard: "old", storage: "file", max_msgs_per_subject: 1 };
    return ensureStream(this.#link, name, {
      wasThere: this.#wasOpen,
      config: () => ({ num_replicas: replicas, ...common, ...config }),
    });
  }

  #open(): Promise<void> {
    if (this.#opening !== undefined) return this.#opening;
    const opening = this.#openAll().catch((error: unknown) => {
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    });
    this.#opening = opening;
    return opening;
  }

  async #openAll(): Promise<void> {
    const { open, probe } = this.#options;
    await open();
    this.#wasOpen = true;
    // A client that does not send the header would let two processes change one thing.
    const sequence = await this.write(probe, new Uint8Array(), IMPOSSIBLE_SEQUENCE);
    if (sequence !== undefined) throw unavailable("the NATS client does not send headers");
  }
}
