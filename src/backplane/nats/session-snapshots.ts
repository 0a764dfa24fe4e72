// Snapshots over NATS: a small one is part of its record, a large one is written in messages of its own before the record that names
// them.

import { randomBytes } from "node:crypto";
import { copied } from "../../base/bytes.ts";
import type { NatsConnection } from "./api.ts";
import type { NatsSessionRecord, Parts } from "./session-record.ts";
import type { NatsSessionStream } from "./session-stream.ts";

/** Longest snapshot within its record. */
const MAX_INLINE_BYTES = 64 * 1024;
/** Longest part of a larger one. */
const MAX_PART_BYTES = 512 * 1024;
/** Room in a message for headers and subject, and for the header of a record. */
const OVERHEAD_BYTES = 16 * 1024;
/** Largest message of a server that does not tell its own: the default of NATS. */
const DEFAULT_MAX_PAYLOAD = 1024 * 1024;

const NO_BYTES = new Uint8Array();

/** A snapshot as it is in a record. */
type Content = Pick<NatsSessionRecord, "parts" | "inline">;

export class NatsSnapshots {
  readonly #connection: NatsConnection;
  readonly #stream: NatsSessionStream;

  constructor(connection: NatsConnection, stream: NatsSessionStream) {
    this.#connection = connection;
    this.#stream = stream;
  }

  /** Writes a large snapshot in parts; returns a small one. */
  async write(snapshot: Uint8Array): Promise<Content> {
    const room = Math.max(OVERHEAD_BYTES, (this.#connection.info?.max_payload ?? DEFAULT_MAX_PAYLOAD) - OVERHEAD_BYTES);
    if (snapshot.length <= Math.min(room, MAX_INLINE_BYTES)) return { inline: snapshot };
    const size = Math.min(room, MAX_PART_BYTES);
    const atMs = await this.#stream.now();
    const id = randomBytes(16).toString("base64url");
    const sequences: number[] = [];
    for (let start = 0; start < snapshot.length; start += size) {
      const subject = this.#stream.subject("d", `${id}.${sequences.length}`);
      sequences.push(await this.#stream.overwrite(subject, snapshot.subarray(start, start + size)));
    }
    return { parts: { id, sequences, atMs }, inline: NO_BYTES };
  }

  /** Resolves to undefined if a part is gone. */
  async read({ parts, inline }: Content): Promise<Uint8Array | undefined> {
    if (parts === undefined) return copied(inline);
    const found: Uint8Array[] = [];
    for (const [n, sequence] of parts.sequences.entries()) {
      const part = await this.#stream.find(sequence);
      if (part?.subject !== this.#stream.subject("d", `${parts.id}.${n}`)) return undefined;
      found.push(part.data);
    }
    return Buffer.concat(found);
  }

  /** Returns the content of a record for another `ttl` milliseconds: parts that would not live so long are written again. */
  async refresh({ parts, inline }: Content, snapshot: Uint8Array, ttl: number): Promise<Content> {
    const mustWrite = parts !== undefined && (await this.#stream.now()) - parts.atMs + ttl > this.#stream.ageMs;
    return mustWrite ? this.write(snapshot) : { parts, inline };
  }

  /** Deletes parts that no record names any more. Those that it cannot delete end with their age. */
  async delete(parts: Parts | undefined): Promise<void> {
    for (const sequence of parts?.sequences ?? []) {
      try {
        await this.#stream.delete(sequence);
      } catch {
        return;
      }
    }
  }
}
