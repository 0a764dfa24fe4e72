// Presence over Redis: one hash per group with a field for each member, and one key per process that expires unless the process
// renews it. A member counts as gone if the key of its process is gone.

import type { BackplaneMember } from "../backplane.ts";
import { BrokerPresence, MEMBER_TTL_MS, type PresenceOptions } from "../broker-presence.ts";
import type { RedisArgument } from "./client.ts";
import type { RedisLink } from "./connection.ts";
import type { RedisKeys } from "./keys.ts";

export interface RedisPresenceOptions extends PresenceOptions {
  /** Called when other processes took this one for dead, or when the server has lost its key. */
  readonly onForgotten: () => void;
}

/** Length of the id of a process, which is a UUID. */
const PROCESS_ID_LENGTH = 36;

export class RedisPresence extends BrokerPresence {
  readonly #link: RedisLink;
  readonly #keys: RedisKeys;
  readonly #onForgotten: () => void;
  readonly #processKey: string;

  constructor(link: RedisLink, keys: RedisKeys, options: RedisPresenceOptions) {
    super(link, options);
    this.#link = link;
    this.#keys = keys;
    this.#onForgotten = options.onForgotten;
    this.#processKey = keys.process(options.processId);
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

  async announce(): Promise<void> {
    // Both in one step: a process that died between them would live for ever.
    await Promise.all([
      this.#link.send(["XADD", this.#processKey, "MAXLEN", "1", "*", "-", ""]),
      this.#link.send(["PEXPIRE", this.#processKey, this.#aliveMs]),
    ]);
    await this.writeAll();
  }

  /** Removes this process for the others, if the server can be reached. */
  async close(): Promise<void> {
    this.stop();
    const { processId } = this.options;
    const leaving = [...this.own].flatMap(([group, members]) =>
      [...members.keys()].map((key) => this.remove(group, key, processId)),
    );
    const isOver = this.released.length > 0 ? ["PEXPIRE", this.#processKey, this.#aliveMs] : ["DEL", this.#processKey];
    await Promise.allSettled([...leaving, this.#link.send(isOver)]);
  }

  protected async write(group: string, { key, payload }: BackplaneMember): Promise<void> {
    const hash = this.#keys.members(group);
    await Promise.all([
      this.#link.send(["HSET", hash, this.#field(key), payload]),
      this.#link.send(["PEXPIRE", hash, String(MEMBER_TTL_MS)]),
    ]);
  }

  protected async remove(group: string, key: string, process: string): Promise<void> {
    await this.#link.send(["HDEL", this.#keys.members(group), this.#field(key, process)]);
  }

  protected async renew(): Promise<void> {
    if (Number(await this.#link.send(["PEXPIRE", this.#processKey, this.#aliveMs])) === 0) {
      this.#onForgotten();
      await this.announce();
    } else if (this.mustWrite) await this.writeAll();
  }

  get #aliveMs(): string {
    return String(Math.ceil(this.options.aliveMs));
  }

  /** Fields carry the id of the process: removing those of a dead process never removes those of a living one. */
  #field(key: string, process: string = this.options.processId): RedisArgument {
    return Buffer.concat([Buffer.from(process, "latin1"), encodeKey(key)]);
  }
}

/** Half a surrogate pair has no UTF-8 form: such a key is written as UTF-16. */
function encodeKey(key: string): Buffer {
  return /\p{Surrogate}/u.test(key) ? Buffer.from(`w${key}`, "utf16le") : Buffer.from(`:${key}`);
}

function decodeKey(bytes: Buffer): string {
  return (bytes[0] === 0x77 ? bytes.toString("utf16le") : bytes.toString()).slice(1);
}
