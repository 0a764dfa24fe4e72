// The same bytes in other chunks. A decoder must answer the same however its input was cut.

/** A string whose every character is one byte, as bytes. */
export function bytesOf(latin1Text: string): Uint8Array {
  return Uint8Array.from(latin1Text, (char) => char.charCodeAt(0));
}

/** The bytes whole, one by one, and in two at every place. */
export function* cutEverywhere(bytes: Uint8Array): Generator<Uint8Array[]> {
  yield [bytes];
  yield oneByOne(bytes);
  for (let at = 1; at < bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

export function oneByOne(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
}

/** The bytes cut at the places given, in any order; what is out of range is left out. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const inside = [...new Set(places)].filter((at) => at > 0 && at < bytes.length).sort((a, b) => a - b);
  const ends = [...inside, bytes.length];
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}
