// Literal bytes in tests, as the specs print them.

/** "81 05 48656c6c6f" to bytes; blanks are free. Fresh memory at each call, since decoders unmask in place. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, "");
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(digits)) throw new Error(`not hex: ${text}`);
  return Uint8Array.from(Buffer.from(digits, "hex"));
}

/** Bytes to lower-case hex without blanks. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** `bytes` cut at the given places (any order, doubles allowed), each part in memory of its own. */
export function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [...places].sort((a, b) => a - b);
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const place of [...sorted, bytes.length]) {
    const to = Math.min(place, bytes.length);
    parts.push(Uint8Array.from(bytes.subarray(from, to)));
    from = to;
  }
  return parts;
}
