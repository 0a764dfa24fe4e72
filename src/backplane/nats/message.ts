// A message of the stream: what it carries, and where it stands.

/** What begins every payload of ours: the version of what follows. */
const VERSION = 1;
export const NS_PER_MS = 1_000_000;

/** Where a message stands. */
export interface Place {
  /** Its number in the stream. */
  readonly sequence: number;
  /** How many the consumer had delivered with this one. */
  readonly consumed: number;
  /** When the server stored it, in milliseconds. */
  readonly atMs: number;
  /** How many the consumer has still to deliver. */
  readonly pending: number;
}

/**
 * ADR-15: `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`, with a domain and an
 * account before the stream in newer servers, and a token at the end.
 */
export function placeOf(reply: string): Place | undefined {
  const tokens = reply.split(".");
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK" || tokens.length < 9) return undefined;
  const at = tokens.length === 9 ? 5 : 7;
  return {
    sequence: Number(tokens[at]),
    consumed: Number(tokens[at + 1]),
    atMs: Number(tokens[at + 2]) / NS_PER_MS,
    pending: Number(tokens[at + 3]),
  };
}

export function wrap(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(payload.length + 1);
  bytes[0] = VERSION;
  bytes.set(payload, 1);
  return bytes;
}

/** Undefined for what no backplane wrote. */
export function unwrap(bytes: Uint8Array): Uint8Array | undefined {
  return bytes[0] === VERSION ? bytes.subarray(1) : undefined;
}

/** The id of a message: its number in the stream, which no other message of a stream of that name has. */
export function toNatsId(sequence: number): string {
  return String(sequence);
}

/** In its shortest form, so that the same id is the same text. */
const ID = /^[1-9]\d{0,15}$/;

/** Undefined for what can be no id. */
export function sequenceOf(id: string): number | undefined {
  const sequence = ID.test(id) ? Number(id) : 0;
  return sequence > 0 && Number.isSafeInteger(sequence) ? sequence : undefined;
}
