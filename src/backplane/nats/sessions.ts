// The session store over NATS JetStream, server 2.9 and later. Each move reads the last message of a session's subject and writes
// the next one, if no other process was faster; otherwise it begins again. A large snapshot is written in parts before the record
// that names them. The server deletes messages by the age of their stream; the time to live of a record is part of it, and is
// compared with the clock of the server.
// Long because all moves share the way in which a record is read, compared and written.

import { randomBytes } from "node:crypto";
import { type Clock, systemClock } from "../../base/clock.ts";
import { checkOptions, type ValueCheck } from "../../base/option-values.ts";
import { BrokerSessions, linkLimit } from "../broker-sessions.ts";
import { SESSION_BROKER_OPTIONS, type SessionBrokerOptions, toSessionStoreSettings } from "../options.ts";
import type { SessionStore, TakeResult } from "../session-store.ts";
import { unavailable } from "../unavailable.ts";
import type { NatsConnection } from "./api.ts";
import { checkConnection, STREAM_OPTIONS } from "./checks.ts";
import { NatsLink } from "./connection.ts";
import { decodeRecord, encodeRecord, type NatsSessionRecord } from "./session-record.ts";
import { NatsSnapshots } from "./session-snapshots.ts";
import { NatsSessionStream } from "./session-stream.ts";
import { nameToken } from "./subjects.ts";

/** The options of `natsSessions`. */
export interface NatsSessionsOptions extends SessionBrokerOptions {
  /**
   * Prefix of the names of the streams and of all their subjects: letters, digits, `-` and `_`. It may be the name of a backplane,
   * too.
   * @default "unichannel"
   */
  readonly name?: string | undefined;
  /** Number of servers of a NATS cluster that hold the streams. Used when the streams are created. @default 1 */
  readonly replicas?: number | undefined;
}

const NATS_OPTIONS: Readonly<Record<keyof NatsSessionsOptions, ValueCheck>> = {
  ...SESSION_BROKER_OPTIONS,
  ...STREAM_OPTIONS,
};

/** Calls under way at once: the time limit of a request counts from its sending. */
const MAX_CALLS = 256;
/** Records that one call renews at once. */
const RENEWED_AT_ONCE = 64;
/** Number of times that a move is begun because other processes were faster. */
const MAX_TURNS = 50;
const NO_BYTES = new Uint8Array();

/**
 * A session store over NATS JetStream. `connection` is a connection of `@nats-io/transport-node` (3) or `nats` (2); it stays yours.
 * Let it reconnect for ever (`maxReconnectAttempts: -1`): a connection that has given up cannot be used any more.
 */
export function natsSessions(connection: NatsConnection, options: NatsSessionsOptions = {}): SessionStore {
  return new NatsSessions(connection, options, systemClock);
}

/** A record as it was read. */
interface FoundRecord extends NatsSessionRecord {
  /** Sequence of its message. */
  readonly sequence: number;
  /** Time at which the server stored it, in milliseconds. */
  readonly atMs: number;
}

/** The record to write; without it, the record stays. */
type Next = NatsSessionRecord | "delete";

interface Change<T> {
  readonly answer: T;
  readonly next?: Next;
}

class NatsSessions extends BrokerSessions {
  readonly #link: NatsLink;
  readonly #stream: NatsSessionStream;
  readonly #snapshots: NatsSnapshots;
  /** The secret of the service; before the first answer, one that this process proposes. Written again if the server loses it. */
  #secret: string = randomBytes(32).toString("base64url");

  constructor(connection: NatsConnection, options: NatsSessionsOptions, clock: Clock) {
    checkOptions("natsSessions", options, NATS_OPTIONS);
    checkConnection("the first argument of natsSessions", connection);
    const { name = "unichannel", replicas = 1 } = options;
    const { timeoutMs, maxPendingBytes, onError } = toSessionStoreSettings(options, "unichannel/nats");
    super({ maxPendingBytes, maxCalls: MAX_CALLS });
    const forget = (): void => this.#stream.forget();
    const limit = linkLimit(maxPendingBytes);
    this.#link = new NatsLink(connection, {
      ...{ clock, timeoutMs, maxPendingBytes: limit, onError },
      ...{ onDown: forget, onUp: forget },
    });
    this.#stream = new NatsSessionStream(this.#link, { name, replicas });
    this.#snapshots = new NatsSnapshots(connection, this.#stream);
  }

  protected write(token: string, owner: string, snapshot: Uint8Array, ttl: number): Promise<boolean> {
    return this.#run(async () => {
      await this.#stream.keep(ttl);
      const content = await this.#snapshots.write(snapshot);
      const bytes = encodeRecord({ state: "stored", owner, ttl, ...content });
      // Most sessions have no record: nothing is read before the first attempt.
      let before: FoundRecord | undefined;
      for (let turn = 0; turn < MAX_TURNS; turn++) {
        if ((await this.#stream.write(this.#subject(token), bytes, before?.sequence ?? 0)) !== undefined) {
          await this.#snapshots.delete(before?.parts);
          return true;
        }
        before = await this.#read(this.#subject(token));
        if (before === undefined || before.owner === owner || (await this.#isExpired(before))) continue;
        await this.#snapshots.delete(content.parts);
        return false;
      }
      throw tooManyTurns();
    });
  }

  protected move(token: string, taker: string, ttl: number, from: string | undefined): Promise<TakeResult> {
    return this.#change<TakeResult>(token, async (record) => {
      if (record === undefined) return { answer: { type: "unknown" } };
      const { state, owner } = record;
      const mayTake = state === "stored" || (state === "taken" && (owner === taker || owner === from));
      if (!mayTake) return { answer: { type: "owned", owner, isClaimed: state === "claimed" } };
      await this.#stream.keep(ttl);
      const snapshot = await this.#snapshots.read(record);
      // The parts have gone before their record: it is of no use any more.
      if (snapshot === undefined) return { answer: { type: "unknown" }, next: "delete" };
      const content = await this.#snapshots.refresh(record, snapshot, ttl);
      return { answer: { type: "taken", snapshot }, next: { state: "taken", owner: taker, ttl, ...content } };
    });
  }

  protected confirm(token: string, taker: string, ttl: number): Promise<boolean> {
    return this.#change(token, async (record) => {
      if (record === undefined || record.owner !== taker || record.state === "stored") return { answer: false };
      await this.#stream.keep(ttl);
      return { answer: true, next: { state: "claimed", owner: taker, ttl, inline: NO_BYTES } };
    });
  }

  protected async extend(tokens: readonly string[], owner: string, ttl: number): Promise<readonly string[]> {
    const foreign: string[] = [];
    for (let start = 0; start < tokens.length; start += RENEWED_AT_ONCE) {
      const some = tokens.slice(start, start + RENEWED_AT_ONCE);
      const isForeign = await Promise.all(some.map((token) => this.#extendOne(token, owner, ttl)));
      foreign.push(...some.filter((_, i) => isForeign[i]));
    }
    return foreign;
  }

  /** Resolves to true if another process has the session. */
  #extendOne(token: string, owner: string, ttl: number): Promise<boolean> {
    return this.#change(token, async (record) => {
      if (record !== undefined && record.owner !== owner) return { answer: true };
      if (record !== undefined && record.state !== "claimed") return { answer: false };
      await this.#stream.keep(ttl);
      return { answer: false, next: { state: "claimed", owner, ttl, inline: NO_BYTES } };
    });
  }

  protected remove(token: string, owner: string): Promise<void> {
    return this.#change(token, async (record) =>
      record?.owner === owner ? { answer: undefined, next: "delete" } : { answer: undefined },
    );
  }

  protected writeAddress(process: string, address: string, ttl: number): Promise<void> {
    return this.#run(async () => {
      await this.#stream.keep(ttl);
      const bytes = encodeRecord({ state: "claimed", owner: address, ttl, inline: NO_BYTES });
      await this.#stream.overwrite(this.#stream.subject("p", nameToken(process)), bytes);
    });
  }

  protected removeAddress(process: string): Promise<void> {
    return this.#run(async () => {
      const found = await this.#stream.find(this.#stream.subject("p", nameToken(process)));
      if (found !== undefined) await this.#stream.delete(found.sequence);
    });
  }

  protected readAddress(process: string): Promise<string | undefined> {
    return this.#run(async () => {
      const found = await this.#read(this.#stream.subject("p", nameToken(process)));
      return found === undefined || (await this.#isExpired(found)) ? undefined : found.owner;
    });
  }

  protected readSecret(): Promise<string> {
    return this.#run(async () => {
      const subject = this.#stream.secret;
      for (let turn = 0; turn < MAX_TURNS; turn++) {
        const found = await this.#stream.find(subject);
        if (found !== undefined) this.#secret = found.data.toString();
        else if ((await this.#stream.write(subject, Buffer.from(this.#secret), 0)) === undefined) continue;
        return this.#secret;
      }
      throw tooManyTurns();
    });
  }

  protected async end(): Promise<void> {
    this.#link.close();
  }

  #run<T>(run: () => Promise<T>): Promise<T> {
    return this.#stream.using(run);
  }

  /**
   * Reads a record and writes the next one that `decide` returns, if there is one. Begins again if another process was faster. An
   * expired record counts as none.
   */
  #change<T>(token: string, decide: (record: FoundRecord | undefined) => Promise<Change<T>>): Promise<T> {
    return this.#run(async () => {
      for (let turn = 0; turn < MAX_TURNS; turn++) {
        const found = await this.#read(this.#subject(token));
        const isExpired = found !== undefined && (await this.#isExpired(found));
        const { answer, next } = await decide(isExpired ? undefined : found);
        if (next === undefined) return answer;
        if (await this.#writeNext(token, found, next)) return answer;
      }
      throw tooManyTurns();
    });
  }

  /** Resolves to false if the record is not the one that was found any more. */
  async #writeNext(token: string, found: FoundRecord | undefined, next: Next): Promise<boolean> {
    if (next === "delete") {
      if (found !== undefined && !(await this.#stream.delete(found.sequence))) return false;
      await this.#snapshots.delete(found?.parts);
      return true;
    }
    const written = await this.#stream.write(this.#subject(token), encodeRecord(next), found?.sequence ?? 0);
    const isReplaced = found?.parts?.id !== next.parts?.id;
    if (isReplaced) await this.#snapshots.delete(written === undefined ? next.parts : found?.parts);
    return written !== undefined;
  }

  async #read(subject: string): Promise<FoundRecord | undefined> {
    const found = await this.#stream.find(subject);
    if (found === undefined) return undefined;
    return { ...decodeRecord(found.data), sequence: found.sequence, atMs: found.atMs };
  }

  async #isExpired({ atMs, ttl }: FoundRecord): Promise<boolean> {
    return atMs + ttl <= (await this.#stream.now());
  }

  #subject(token: string): string {
    return this.#stream.subject("r", nameToken(token));
  }
}

function tooManyTurns(): Error {
  return unavailable(`other processes were faster ${MAX_TURNS} times`);
}
