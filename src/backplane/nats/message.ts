// A message of the stream: its payload and its position.

/** First byte of every payload: the version of its format. */
const VERSION = 1;
export const NS_PER_MS = 1_000_000;

/** A longer age, 31 years, means no end: NATS takes 64 bits of nanoseconds. */
export const MAX_AGE_MS = 1e12;

/** The position of a message in the stream and in its consumer. */
export interface DeliveryPosition {
  /** Sequence in the stream. */
  readonly sequence: number;
  /** Number of messages that the consumer has delivered, with this one. */
  readonly consumed: number;
  /** Time at which the server stored it, in milliseconds. */
  readonly atMs: number;
  /** Number of messages that the consumer has still to deliver. */
  readonly pending: number;
}

/**
 * ADR-15: `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`, with a domain and an
 * account before the stream in newer servers, and a token at the end.
 */
export function readPosition(reply: string): DeliveryPosition | undefined {
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

/** Returns undefined for a message that no backplane wrote. */
export function unwrap(bytes: Uint8Array): Uint8Array | undefined {
  return bytes[0] === VERSION ? bytes.subarray(1) : undefined;
}

/** Returns the id of a message: its sequence, which no other message of a stream of that name has. */
export function toNatsId(sequence: number): string {
  return String(sequence);
}

/** In the shortest form, so that equal ids are equal texts. */
const ID = /^[1-9]\d{0,15}$/;

/** Returns undefined for a text that cannot be an id. */
export function sequenceOf(id: string): number | undefined {
  const sequence = ID.test(id) ? Number(id) : 0;
  return sequence > 0 && Number.isSafeInteger(sequence) ? sequence : undefined;
}
