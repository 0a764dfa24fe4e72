// Entries of a Redis stream: replies in the shape of RESP 2.

/** RESP 2: the id, then names and values in turn. */
export type RawEntry = readonly [id: Buffer, fields: readonly Buffer[]];

/** An entry that a backplane wrote. */
export interface StreamMessage {
  readonly payload: Uint8Array;
  /** Number in the group; undefined in entries of an earlier version. */
  readonly number: number | undefined;
  /** True for the first message of a counter. */
  readonly isFirst: boolean;
}

/** Name of the field: see `scripts.ts`. */
const NAME = /^([pf])(\d{0,16})$/;
/** Field of an entry that only raises the ids: it is deleted at once, and is not a message. */
export const MARK = "-";

/** Returns the reply of XREAD by stream. */
export function streamsOf(reply: unknown): readonly (readonly [key: string, entries: readonly RawEntry[]])[] {
  if (!Array.isArray(reply)) return [];
  return reply.map(([key, entries]) => [String(key), entries]);
}

/** Returns undefined for an entry that no backplane wrote. */
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

/** Returns the time at which the server assigned the id. */
export function millisecondsOf(id: string): number {
  return Number(id.slice(0, id.indexOf("-")));
}
