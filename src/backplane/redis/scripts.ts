// Scripts that Redis runs for the backplane. A script is atomic: a message gets its number and its id in the stream in one
// step, so a reader that finds number 12 behind number 10 knows that 11 is lost.

import { ChannelError } from "../../base/errors.ts";
import type { BackplaneKey } from "../backplane.ts";
import { isReplyError, type RedisLink } from "./connection.ts";
import { encodeName } from "./keys.ts";

/** Lifetime of a stream's key after its last entry, in milliseconds. */
export const MIN_TTL_MS = 60_000;
/** A longer ttl means no expiry. */
export const MAX_TTL_MS = 1e12;

/**
 * KEYS: stream, counter. ARGV: payload, maximum number of entries ("" for no limit), lifetime of the keys in ms ("" to leave
 * it), age of the oldest entry in ms. The name of the field is the number: `f` for the first one of a counter, `p` for the
 * others. A counter begins at the microsecond of its creation, so that no number is repeated when the server has lost it.
 */
const APPEND = `local n=redis.call('INCR',KEYS[2])
local kind='p'
if n==1 then
local t=redis.call('TIME')
n=t[1]*1000000+t[2]
redis.call('SET',KEYS[2],string.format('%.0f',n))
kind='f'
end
local name=kind..string.format('%.0f',n)
local id
if ARGV[2]=='' then id=redis.call('XADD',KEYS[1],'*',name,ARGV[1])
else id=redis.call('XADD',KEYS[1],'MAXLEN','~',ARGV[2],'*',name,ARGV[1]) end
if ARGV[3]~='' then
redis.call('PEXPIRE',KEYS[1],ARGV[3])
redis.call('PEXPIRE',KEYS[2],ARGV[3])
redis.call('XTRIM',KEYS[1],'MINID',string.format('%.0f',string.match(id,'^%d+')-ARGV[4]))
end
`;

const PUBLISH = `${APPEND}return id`;

/**
 * The same, in one step with the value of a key. KEYS 3 and 4: the hash of values, each an id, a space and the payload; the sorted set
 * of their keys. ARGV 5 on: key, 1 if it is removed, maximum number of keys, lifetime of the values in ms ("": no end).
 */
const PUBLISH_LATEST = `${APPEND}if ARGV[6]=='1' then
redis.call('HDEL',KEYS[3],ARGV[5])
redis.call('ZREM',KEYS[4],ARGV[5])
else
redis.call('HSET',KEYS[3],ARGV[5],id..' '..ARGV[1])
redis.call('ZADD',KEYS[4],string.format('%.0f',n),ARGV[5])
local over=redis.call('ZCARD',KEYS[4])-ARGV[7]
if over>0 then
for _,key in ipairs(redis.call('ZRANGE',KEYS[4],0,over-1)) do redis.call('HDEL',KEYS[3],key) end
redis.call('ZREMRANGEBYRANK',KEYS[4],0,over-1)
end
end
for k=3,4 do
if ARGV[8]=='' then redis.call('PERSIST',KEYS[k]) else redis.call('PEXPIRE',KEYS[k],ARGV[8]) end
end
return id`;

/**
 * KEYS: stream and counter, for any number of groups. Returns the server's time in ms, then for each group: last id, number.
 */
const POSITIONS = `local t=redis.call('TIME')
local found={string.format('%.0f',t[1]*1000+math.floor(t[2]/1000))}
for k=1,#KEYS,2 do
local last='0-0'
local info=redis.pcall('XINFO','STREAM',KEYS[k])
if info.err then
if redis.call('EXISTS',KEYS[k])==1 then return info end
else
for i=1,#info,2 do if info[i]=='last-generated-id' then last=info[i+1] end end
end
found[#found+1]=last
found[#found+1]=redis.call('GET',KEYS[k+1]) or ''
end
return found`;

/** KEYS: generation. ARGV: the generation to write if there is none. Returns the generation, and the server's INFO. */
const SERVER = `redis.call('SET',KEYS[1],ARGV[1],'NX')
local text=''
for _,section in ipairs({'server','replication','persistence'}) do
local info=redis.pcall('INFO',section)
if type(info)=='string' then text=text..info end
end
return {redis.call('GET',KEYS[1]),text}`;

export interface PublishLimits {
  /** Number of entries; Infinity for no limit. */
  readonly size: number;
  /** Undefined leaves the lifetime of the keys as it is. */
  readonly expiry: { readonly ttlMs: number; readonly oldestMs: number } | undefined;
}

/** Appends a message to a group's stream. Resolves to the entry's id. */
export async function publishMessage(
  link: RedisLink,
  stream: string,
  counter: string,
  payload: Uint8Array,
  { size, expiry }: PublishLimits,
): Promise<string> {
  return String(await link.run(PUBLISH, ["2", stream, counter, payload, ...toArguments({ size, expiry })]));
}

/** The same for the value of a key. */
export async function publishValue(
  link: RedisLink,
  keys: readonly [stream: string, counter: string, values: string, order: string],
  payload: Uint8Array,
  { limits, of }: { readonly limits: PublishLimits; readonly of: BackplaneKey },
): Promise<string> {
  const { key, isRemoved, maxKeys, ttlMs } = of;
  const most = Math.min(maxKeys, Number.MAX_SAFE_INTEGER);
  const value = [
    encodeName(key),
    isRemoved ? "1" : "",
    String(Math.floor(most)),
    ttlMs <= MAX_TTL_MS ? toInteger(ttlMs) : "",
  ];
  return String(await link.run(PUBLISH_LATEST, ["4", ...keys, payload, ...toArguments(limits), ...value]));
}

function toArguments({ size, expiry }: PublishLimits): readonly string[] {
  // JavaScript writes larger numbers with an exponent, which Redis refuses.
  const kept = size <= Number.MAX_SAFE_INTEGER ? String(Math.ceil(size)) : "";
  return expiry === undefined ? [kept, "", ""] : [kept, toInteger(expiry.ttlMs), toInteger(expiry.oldestMs)];
}

/** The end of a group's stream. */
export interface StreamPosition {
  /** Id of the last entry ever added; "0-0" if there is no stream. */
  readonly lastId: string;
  /** Number of the last message; undefined if there is no counter. */
  readonly number: number | undefined;
}

/** Reads the positions of several groups at one moment, and the server's time at that moment. */
export async function readPositions(
  link: RedisLink,
  keys: readonly { readonly key: string; readonly counterKey: string }[],
): Promise<{ readonly nowMs: number; readonly positions: readonly StreamPosition[] }> {
  const names = keys.flatMap(({ key, counterKey }) => [key, counterKey]);
  const reply = (await link.run(POSITIONS, [String(names.length), ...names])) as readonly unknown[];
  const positions = keys.map((_, i): StreamPosition => {
    const number = String(reply[2 * i + 2]);
    return { lastId: String(reply[2 * i + 1]), number: number === "" ? undefined : Number(number) };
  });
  return { nowMs: Number(reply[0]), positions };
}

/** Identity of the server that answers, and of its data. */
export interface ServerFacts {
  /** Lost only with all other data. */
  readonly generation: string;
  /** Changes each time that the server starts; undefined if INFO is not allowed. */
  readonly runId: string | undefined;
  /** True if it took over from another server, whose last writes it may lack, or if it started without a log of all writes. */
  readonly mayLackWrites: boolean;
}

export async function readServer(link: RedisLink, generationKey: string, newGeneration: string): Promise<ServerFacts> {
  const reply = await link.run(SERVER, ["1", generationKey, newGeneration]);
  if (!Array.isArray(reply)) throw new ChannelError("BACKPLANE_UNAVAILABLE", "Redis 7 or Valkey is needed");
  const info = String(reply[1]);
  const before = factOf(info, "master_replid2");
  return {
    generation: String(reply[0]),
    runId: factOf(info, "run_id"),
    mayLackWrites: (before !== undefined && /[^0]/.test(before)) || factOf(info, "aof_enabled") === "0",
  };
}

/** Raises the ids of a new stream above those that were handed out before: the server's clock may be behind. */
export async function raiseIds(link: RedisLink, key: string, id: string, mark: string): Promise<void> {
  await Promise.all([
    link.send(["XADD", key, id, mark, ""]),
    link.send(["XDEL", key, id]),
    link.send(["PEXPIRE", key, String(MIN_TTL_MS)]),
  ]).catch((error: unknown) => {
    // The id is too small: another process has raised it, or the stream has an entry with a higher id.
    if (!isReplyError(error)) throw error;
  });
}

function factOf(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1];
}

function toInteger(ms: number): string {
  return String(Math.ceil(ms));
}
