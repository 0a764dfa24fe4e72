// What is in a stream of Redis: replies in the shape of RESP 2.

/** As RESP 2 has it: id, then names and values in turn. */
export type RawEntry = readonly [id: Buffer, fields: readonly Buffer[]];

/** An entry that a backplane wrote. */
export interface StreamMessage {
  readonly payload: Uint8Array;
  /** Its number in the group; undefined in entries of an earlier version. */
  readonly number: number | undefined;
  /** Nothing was counted before it. */
  readonly isFirst: boolean;
}

/** The name of the field: `redis-scripts.ts`. */
const NAME = /^([pf])(\d{0,16})$/;
/** The field of an entry that only lifts the ids: it is deleted at once, and nobody's message. */
export const MARK = "-";

/** The reply of XREAD. */
export function streamsOf(reply: unknown): readonly (readonly [key: string, entries: readonly RawEntry[]])[] {
  if (!Array.isArray(reply)) return [];
  return reply.map(([key, entries]) => [String(key), entries]);
}

/** Undefined for what somebody else put there. */
export function messageOf(fields: readonly Buffer[]): StreamMessage | undefined {
  const [name, payload] = fields;
  if (fields.length !== 2 || name === undefined || payload === undefined || name.length > 17) return undefined;
  const found = NAME.exec(name.toString("latin1"));
  if (found === null) return undefined;
  const [, kind, digits] = found;
  return { payload, number: digits === "" ? undefined : Number(digits), isFirst: kind === "f" };
}

export function isMark(fields: readonly Buffer[]): boolean {
  return String(fields[0]) === MARK;
}

/** When the server gave the id. */
export function millisecondsOf(id: string): number {
  return Number(id.slice(0, id.indexOf("-")));
}
