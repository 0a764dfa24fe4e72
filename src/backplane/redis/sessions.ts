// The session store over Redis 7 or Valkey. Each move is one script, so it is atomic and costs one round trip; the moves of one
// turn leave together. A process has one connection of its own.

import { randomBytes } from "node:crypto";
import { copied } from "../../base/bytes.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { checkOptions, type ValueCheck } from "../../base/option-values.ts";
import { BrokerSessions, linkLimit } from "../broker-sessions.ts";
import { SESSION_BROKER_OPTIONS, type SessionBrokerOptions, toSessionStoreSettings } from "../options.ts";
import type { SessionStore, TakeResult } from "../session-store.ts";
import { checkRedisClient, type RedisClient } from "./client.ts";
import { RedisLink } from "./connection.ts";
import { checkPrefix, decodeName, encodeName, RedisKeys } from "./keys.ts";
import { CLAIM, FORGET, PUT, RENEW, SECRET, TAKE } from "./session-scripts.ts";

/** The options of `redisSessions`. */
export interface RedisSessionsOptions extends SessionBrokerOptions {
  /**
   * Prefix of all keys, in braces: one hash tag, so that a Redis Cluster keeps all of them in one slot. It may be the prefix of a
   * backplane, too.
   * @default "unichannel"
   */
  readonly prefix?: string | undefined;
}

const REDIS_OPTIONS: Readonly<Record<keyof RedisSessionsOptions, ValueCheck>> = {
  ...SESSION_BROKER_OPTIONS,
  prefix: checkPrefix,
};

/** Calls under way at once: all others wait, so that an answer does not wait for the writing of thousands of commands. */
const MAX_CALLS = 1000;
/** Records that one script renews: a longer one would let other commands wait. */
const RENEWED_AT_ONCE = 256;

/**
 * A session store over Redis 7 or Valkey. `client` is a client of node-redis (4 to 6), ioredis or iovalkey. Only a duplicate of it
 * is used: its own connection, queue and retries do not matter, and it stays yours.
 */
export function redisSessions(client: RedisClient, options: RedisSessionsOptions = {}): SessionStore {
  return new RedisSessions(client, options, systemClock);
}

class RedisSessions extends BrokerSessions {
  readonly #keys: RedisKeys;
  readonly #link: RedisLink;
  /** The secret of the service; before the first answer, one that this process proposes. Written again if the server loses it. */
  #secret: string = randomBytes(32).toString("base64url");

  constructor(client: RedisClient, options: RedisSessionsOptions, clock: Clock) {
    checkOptions("redisSessions", options, REDIS_OPTIONS);
    checkRedisClient("redisSessions", client);
    const { timeoutMs, maxPendingBytes, onError } = toSessionStoreSettings(options, "unichannel/redis");
    super({ maxPendingBytes, maxCalls: MAX_CALLS });
    this.#keys = new RedisKeys(options.prefix ?? "unichannel");
    const limit = linkLimit(maxPendingBytes);
    this.#link = new RedisLink(client, { clock, timeoutMs, maxPendingBytes: limit, onError, onUp() {} });
  }

  protected override connecting(): Promise<void> | undefined {
    return this.#link.isUp ? undefined : this.#link.firstAttempt;
  }

  protected async write(token: string, owner: string, snapshot: Uint8Array, ttl: number): Promise<boolean> {
    const args = [encodeName(owner), snapshot, String(ttl)];
    return Number(await this.#link.run(PUT, ["1", this.#keys.session(token), ...args])) === 1;
  }

  protected async move(token: string, taker: string, ttl: number, from: string | undefined): Promise<TakeResult> {
    const args = [encodeName(taker), String(ttl), ...(from === undefined ? [] : [encodeName(from)])];
    const reply = await this.#link.run(TAKE, ["1", this.#keys.session(token), ...args]);
    const [state, owner, snapshot] = reply as readonly Buffer[];
    if (state === undefined) return { type: "unknown" };
    // The library may use the memory of its replies again.
    if (snapshot !== undefined) return { type: "taken", snapshot: copied(snapshot) };
    return { type: "owned", owner: decodeName(String(owner)), isClaimed: String(state) === "c" };
  }

  protected async confirm(token: string, taker: string, ttl: number): Promise<boolean> {
    const args = [encodeName(taker), String(ttl)];
    return Number(await this.#link.run(CLAIM, ["1", this.#keys.session(token), ...args])) === 1;
  }

  protected async extend(tokens: readonly string[], owner: string, ttl: number): Promise<readonly string[]> {
    const foreign: string[] = [];
    for (let start = 0; start < tokens.length; start += RENEWED_AT_ONCE) {
      const some = tokens.slice(start, start + RENEWED_AT_ONCE);
      const keys = some.map((token) => this.#keys.session(token));
      const args = [String(keys.length), ...keys, encodeName(owner), String(ttl)];
      const indexes = (await this.#link.run(RENEW, args)) as readonly unknown[];
      for (const index of indexes) foreign.push(some[Number(index) - 1]!);
    }
    return foreign;
  }

  protected async remove(token: string, owner: string): Promise<void> {
    await this.#link.run(FORGET, ["1", this.#keys.session(token), encodeName(owner)]);
  }

  protected async writeAddress(process: string, address: string, ttl: number): Promise<void> {
    await this.#link.send(["SET", this.#keys.address(process), encodeName(address), "PX", String(ttl)]);
  }

  protected async removeAddress(process: string): Promise<void> {
    await this.#link.send(["DEL", this.#keys.address(process)]);
  }

  protected async readAddress(process: string): Promise<string | undefined> {
    const address = await this.#link.send(["GET", this.#keys.address(process)]);
    return address === null ? undefined : decodeName(String(address));
  }

  protected async readSecret(): Promise<string> {
    this.#secret = String(await this.#link.run(SECRET, ["1", this.#keys.secret, this.#secret]));
    return this.#secret;
  }

  protected async end(): Promise<void> {
    this.#link.close();
  }
}
