// What is in a stream of Redis, and what the server says of it: replies in the shape of RESP 2.

import { ChannelError } from "../base/errors.ts";
import { isReplyError, type RedisArgument, type RedisLink } from "./redis-link.ts";
import { compareStreamIds } from "./stream-ids.ts";

/** What XINFO STREAM says of a stream. */
export interface StreamInfo {
  readonly length: number;
  /** Ever added, what was trimmed included. */
  readonly added: number;
  /** "0-0" when nothing is in it. */
  readonly firstId: string;
  /** Of the last entry ever added. */
  readonly lastId: string;
}

/** As RESP 2 has it: id, then names and values in turn. */
export type RawEntry = readonly [id: Buffer, fields: readonly Buffer[]];

const PAYLOAD = "p";
/** The field of an entry that only lifts the ids: it is deleted at once, and nobody's message. */
export const MARK = "-";

/** Whether entries after `last` are gone. */
export function isMissing(info: StreamInfo, last: string, count: number | undefined): boolean {
  if (compareStreamIds(info.lastId, last) < 0) return true;
  // The last one delivered, or an older one, is still there: trimming begins with the oldest.
  if (info.length > 0 && compareStreamIds(info.firstId, last) <= 0) return false;
  if (info.lastId === last) return false;
  // All that is left is newer. More was trimmed than was delivered: a gap. Less: another stream of the same name.
  return count === undefined || info.added - info.length !== count;
}

/** The reply of XREAD. */
export function streamsOf(reply: unknown): readonly (readonly [key: string, entries: readonly RawEntry[]])[] {
  if (!Array.isArray(reply)) return [];
  return reply.map(([key, entries]) => [String(key), entries]);
}

/** The payload of an entry that a backplane wrote; undefined for what somebody else put there. */
export function payloadOf(fields: readonly Buffer[]): Uint8Array | undefined {
  const [name, payload] = fields;
  return fields.length === 2 && String(name) === PAYLOAD ? payload : undefined;
}

export function isMark(fields: readonly Buffer[]): boolean {
  return String(fields[0]) === MARK;
}

export function entryFields(payload: Uint8Array): readonly RedisArgument[] {
  return [PAYLOAD, payload];
}

/** Undefined when there is no such stream. */
export async function streamInfo(link: RedisLink, key: string): Promise<StreamInfo | undefined> {
  let reply: unknown;
  try {
    reply = await link.send(["XINFO", "STREAM", key]);
  } catch (error) {
    if (isReplyError(error) && error.message.includes("no such key")) return undefined;
    throw error;
  }
  const facts = new Map<string, unknown>();
  const list = reply as unknown[];
  for (let i = 0; i + 1 < list.length; i += 2) facts.set(String(list[i]), list[i + 1]);
  if (!facts.has("entries-added")) throw new ChannelError("BACKPLANE_UNAVAILABLE", "Redis 7 or Valkey is needed");
  return {
    length: Number(facts.get("length")),
    added: Number(facts.get("entries-added")),
    firstId: String(facts.get("recorded-first-entry-id")),
    lastId: String(facts.get("last-generated-id")),
  };
}

/** When the server gave the id. */
export function millisecondsOf(id: string): number {
  return Number(id.slice(0, id.indexOf("-")));
}
