// The records of a service in Redis: one hash with a field for each.

import type { BackplaneRecords } from "../backplane.ts";
import type { BrokerRecords } from "../broker-backplane.ts";
import type { RedisArgument } from "./client.ts";
import type { RedisLink } from "./connection.ts";
import { decodeName, encodeName, type RedisKeys } from "./keys.ts";

/**
 * KEYS: hash. ARGV: field, then for the expected value and for the next one: "1" and the value, or "0" and "". Returns 1 if it was
 * written.
 */
const SWAP = `local now=redis.call('HGET',KEYS[1],ARGV[1])
if ARGV[2]=='1' then
if now~=ARGV[3] then return 0 end
elseif now then return 0 end
if ARGV[4]=='1' then redis.call('HSET',KEYS[1],ARGV[1],ARGV[5]) else redis.call('HDEL',KEYS[1],ARGV[1]) end
return 1`;

/** Records of one answer, about. */
const LISTED = "500";

export class RedisRecords implements BrokerRecords {
  readonly #link: RedisLink;
  readonly #key: string;

  constructor(link: RedisLink, keys: RedisKeys) {
    this.#link = link;
    this.#key = keys.records;
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return ((await this.#link.send(["HGET", this.#key, encodeName(name)])) as Buffer | null) ?? undefined;
  }

  async swap(name: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    const args = [encodeName(name), ...optional(expected), ...optional(next)];
    return Number(await this.#link.run(SWAP, ["1", this.#key, ...args])) === 1;
  }

  async list(from = "0"): Promise<BackplaneRecords> {
    const reply = await this.#link.send(["HSCAN", this.#key, from, "COUNT", LISTED]);
    const [next, fields] = reply as readonly [Buffer, readonly Buffer[]];
    const records: { readonly name: string; readonly value: Uint8Array }[] = [];
    for (let i = 0; i + 1 < fields.length; i += 2) {
      records.push({ name: decodeName(String(fields[i])), value: fields[i + 1]! });
    }
    return { records, next: String(next) === "0" ? undefined : String(next) };
  }
}

function optional(value: Uint8Array | undefined): readonly RedisArgument[] {
  return value === undefined ? ["0", ""] : ["1", value];
}
