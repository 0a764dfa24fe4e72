// @ts-check
// The messages of a run: what is published has a number, so that a client can tell a repeated message from the next one.

/** First byte of a published message. */
export const PUBLISHED = 0x70;
/** First byte of a client's own message, which the server sends back. */
export const ECHOED = 0x65;
/** Bytes of a published message, as in the rows `publish-1` and `publish-16`. */
export const PUBLISHED_BYTES = 128;

const DIGITS = 8;

/** @param {number} sequence */
export function published(sequence) {
  return `p${String(sequence).padStart(DIGITS, "0")}`.padEnd(PUBLISHED_BYTES, " unichannel");
}

/** The number of the published message whose first byte is at `at`. @param {Buffer} bytes @param {number} at */
export function sequenceAt(bytes, at) {
  let sequence = 0;
  for (let i = 1; i <= DIGITS; i++) sequence = sequence * 10 + Number(bytes[at + i]) - 0x30;
  return sequence;
}
