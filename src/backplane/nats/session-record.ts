// The form of a session's record in a NATS message: a byte for the version, the length of a header, the header in JSON, and the
// snapshot, unless it is in messages of its own.

/** First byte of each record: the version of its format. */
const VERSION = 1;
const HEADER_AT = 5;

/** A snapshot in messages of its own. */
export interface Parts {
  /** Last token of the subject of all of them, different for each writing. */
  readonly id: string;
  /** Their sequences in the stream, in order. */
  readonly sequences: readonly number[];
  /** Time of the server at which the first one was written, in milliseconds; approximate. */
  readonly atMs: number;
}

/** The record of a session, as it is written. */
export interface NatsSessionRecord {
  readonly state: "stored" | "taken" | "claimed";
  readonly owner: string;
  /** Time to live in milliseconds, counted from the time at which the server stored the message. */
  readonly ttl: number;
  readonly parts?: Parts | undefined;
  /** Empty if the snapshot is in parts, or the session is claimed. */
  readonly inline: Uint8Array;
}

export function encodeRecord({ inline, ...header }: NatsSessionRecord): Uint8Array {
  // JSON can hold any text, half a surrogate pair too.
  const json = Buffer.from(JSON.stringify(header));
  const bytes = Buffer.allocUnsafe(HEADER_AT + json.length + inline.length);
  bytes[0] = VERSION;
  bytes.writeUInt32BE(json.length, 1);
  bytes.set(json, HEADER_AT);
  bytes.set(inline, HEADER_AT + json.length);
  return bytes;
}

/** Throws for a message that no session store wrote. */
export function decodeRecord(data: Uint8Array): NatsSessionRecord {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const end = bytes[0] === VERSION && bytes.length >= HEADER_AT ? HEADER_AT + bytes.readUInt32BE(1) : Infinity;
  if (end > bytes.length) throw foreign();
  const header: unknown = JSON.parse(bytes.toString("utf8", HEADER_AT, end));
  if (!isHeader(header)) throw foreign();
  return { ...header, inline: bytes.subarray(end) };
}

function isHeader(value: unknown): value is Omit<NatsSessionRecord, "inline"> {
  const { state, owner, ttl, parts } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const isRecord = ["stored", "taken", "claimed"].includes(state as string) && typeof owner === "string";
  return isRecord && typeof ttl === "number" && (parts === undefined || isParts(parts));
}

function isParts(value: unknown): value is Parts {
  const { id, sequences, atMs } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof id !== "string" || typeof atMs !== "number" || !Array.isArray(sequences)) return false;
  return sequences.every((sequence) => Number.isSafeInteger(sequence));
}

function foreign(): Error {
  return new Error("a message that no session store wrote");
}
