// Presence over Redis: one hash per group with a field for each member, and one key per process that expires unless the process
// renews it. A member counts as gone if the key of its process is gone.

import type { Clock, Timer } from "../../base/clock.ts";
import type { BackplaneMember } from "../backplane.ts";
import { OwnMembers } from "../own-members.ts";
import type { RedisArgument } from "./client.ts";
import type { RedisLink } from "./connection.ts";
import type { RedisKeys } from "./keys.ts";

export interface RedisPresenceOptions {
  readonly clock: Clock;
  /** Id of this process: 36 characters. */
  readonly processId: string;
  /** Silence after which a process counts as dead, in milliseconds. */
  readonly aliveMs: number;
  /** Called when this process was taken for dead, or when the server has lost it. */
  readonly onForgotten: () => void;
  readonly onError: (error: unknown) => void;
}

/** Lifetime of a hash when all processes have died; it is renewed while there are members. */
const HASH_TTL_MS = 24 * 3_600_000;
const RENEW_ALL_MS = HASH_TTL_MS / 3;
const PROCESS_ID_LENGTH = 36;

export class RedisPresence {
  readonly #link: RedisLink;
  readonly #keys: RedisKeys;
  readonly #options: RedisPresenceOptions;
  readonly #processKey: string;
  readonly #own = new OwnMembers();
  #timer: Timer;
  #writtenAt: number;

  constructor(link: RedisLink, keys: RedisKeys, options: RedisPresenceOptions) {
    this.#link = link;
    this.#keys = keys;
    this.#options = options;
    this.#processKey = keys.process(options.processId);
    this.#writtenAt = options.clock.now();
    this.#schedule();
  }

  async enter(group: string, member: BackplaneMember): Promise<void> {
    this.#own.add(group, member);
    await this.#write(group, member);
  }

  async leave(group: string, key: string): Promise<void> {
    this.#own.delete(group, key);
    await this.#link.send(["HDEL", this.#keys.members(group), this.#field(key)]);
  }

  async present(group: string): Promise<readonly BackplaneMember[]> {
    const hash = this.#keys.members(group);
    const fields = (await this.#link.send(["HGETALL", hash])) as readonly Buffer[];
    const members: { readonly process: string; readonly field: Buffer; readonly member: BackplaneMember }[] = [];
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const field = fields[i]!;
      const key = decodeKey(field.subarray(PROCESS_ID_LENGTH));
      members.push({
        process: field.toString("latin1", 0, PROCESS_ID_LENGTH),
        field,
        member: { key, payload: fields[i + 1]! },
      });
    }
    const processes = [...new Set(members.map(({ process }) => process))];
    const replies = await Promise.all(processes.map((id) => this.#link.send(["EXISTS", this.#keys.process(id)])));
    const alive = new Set(processes.filter((_, i) => Number(replies[i]) === 1));
    const dead = members.filter(({ process }) => !alive.has(process)).map(({ field }) => field);
    // A process that was only slow writes its members again when it comes back.
    if (dead.length > 0) this.#link.send(["HDEL", hash, ...dead]).catch(() => {});
    return members.filter(({ process }) => alive.has(process)).map(({ member }) => member);
  }

  /** Writes that this process lives, and its members. Called for each new connection. */
  async announce(): Promise<void> {
    // Both in one step: a process that died between them would live for ever.
    await Promise.all([
      this.#link.send(["XADD", this.#processKey, "MAXLEN", "1", "*", "-", ""]),
      this.#link.send(["PEXPIRE", this.#processKey, String(Math.ceil(this.#options.aliveMs))]),
    ]);
    await this.#writeAll();
  }

  /** Removes this process for the others, if the server can be reached. */
  async close(): Promise<void> {
    this.#options.clock.clearTimer(this.#timer);
    const leaving = this.#own.groups.flatMap((group) =>
      this.#own.keys(group).map((key) => this.#link.send(["HDEL", this.#keys.members(group), this.#field(key)])),
    );
    await Promise.allSettled([...leaving, this.#link.send(["DEL", this.#processKey])]);
  }

  #schedule(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      this.#schedule();
      this.#renew().catch((error: unknown) => {
        // The connection reports its loss itself; the next connection announces the process.
        if (this.#link.isUp) this.#options.onError(error);
      });
    }, this.#options.aliveMs / 3);
  }

  async #renew(): Promise<void> {
    if (!this.#link.isUp) return;
    const renewed = await this.#link.send(["PEXPIRE", this.#processKey, String(Math.ceil(this.#options.aliveMs))]);
    if (Number(renewed) === 0) {
      this.#options.onForgotten();
      await this.announce();
    } else if (this.#options.clock.now() - this.#writtenAt >= RENEW_ALL_MS) await this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    this.#writtenAt = this.#options.clock.now();
    await this.#own.writeAll((group, member) => this.#write(group, member));
  }

  async #write(group: string, { key, payload }: BackplaneMember): Promise<void> {
    const hash = this.#keys.members(group);
    await Promise.all([
      this.#link.send(["HSET", hash, this.#field(key), payload]),
      this.#link.send(["PEXPIRE", hash, String(HASH_TTL_MS)]),
    ]);
  }

  /** Fields carry the id of the process: removing those of a dead process never removes those of a living one. */
  #field(key: string): RedisArgument {
    return Buffer.concat([Buffer.from(this.#options.processId, "latin1"), encodeKey(key)]);
  }
}

/** Half a surrogate pair has no UTF-8 form: such a key is written as UTF-16. */
function encodeKey(key: string): Buffer {
  return /\p{Surrogate}/u.test(key) ? Buffer.from(`w${key}`, "utf16le") : Buffer.from(`:${key}`);
}

function decodeKey(bytes: Buffer): string {
  return (bytes[0] === 0x77 ? bytes.toString("utf16le") : bytes.toString()).slice(1);
}
