// Base64: RFC 4648 §4, both ways, without the platform, so that it also runs in browsers.

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    // Past the end is undefined, which is zero to the operators.
    const bits = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
    text += ALPHABET[bits >> 18]! + ALPHABET[(bits >> 12) & 63]! + ALPHABET[(bits >> 6) & 63]! + ALPHABET[bits & 63]!;
  }
  const pads = (3 - (bytes.length % 3)) % 3;
  return pads === 0 ? text : text.slice(0, -pads) + "==".slice(0, pads);
}

/** Undefined for what no encoder makes: §3.5 bits that must be zero, a missing pad, a character of another alphabet. */
export function fromBase64(text: string): Uint8Array | undefined {
  const end = text.endsWith("==") ? text.length - 2 : text.endsWith("=") ? text.length - 1 : text.length;
  if (text.length % 4 !== 0) return undefined;
  const bytes = new Uint8Array((end * 3) >> 2);
  let bits = 0;
  for (let i = 0, at = 0; i < end; i++) {
    const value = VALUES[text.charCodeAt(i)] ?? -1;
    if (value < 0) return undefined;
    bits = (bits << 6) | value;
    // Each character but the first of four completes a byte.
    if (i % 4 !== 0) bytes[at++] = bits >> (6 - 2 * (i % 4));
  }
  // What was not used of the last character.
  const spare = end % 4 === 2 ? 15 : end % 4 === 3 ? 3 : 0;
  return (bits & spare) === 0 ? bytes : undefined;
}

const VALUES: Readonly<Record<number, number>> = Object.fromEntries(
  [...ALPHABET].map((character, value) => [character.charCodeAt(0), value]),
);
