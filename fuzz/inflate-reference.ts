// RFC 1951 (DEFLATE) implemented bit by bit, without regard to speed, as a reference for node:zlib. The canonical
// Huffman decoding is that of Mark Adler's puff.

/** The reference's result for some bytes: their data, or an error. */
export type Reference = { readonly data: Uint8Array } | { readonly error: string };

const LENGTHS = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCES = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
];
const DISTANCE_BITS = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
/** RFC 1951 §3.2.7. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const WINDOW = 32_768;

interface Codes {
  readonly counts: readonly number[];
  readonly symbols: readonly number[];
}

/**
 * Streams of blocks, each stream up to its last block, until the input is used up; all must end where it ends. `dictionary`
 * is the output before this one.
 */
export function referenceInflate(
  input: Uint8Array,
  dictionary: Uint8Array,
  maxBytes: number,
  maxStreams: number,
): Reference {
  const reader = new Reader(input, dictionary, maxBytes);
  try {
    for (let streams = 0; !reader.isAtEnd; streams++) {
      if (streams === maxStreams) throw new RangeError("too many streams");
      reader.readStream();
    }
  } catch (error) {
    if (error instanceof RangeError) return { error: error.message };
    throw error;
  }
  return { data: Uint8Array.from(reader.output.slice(dictionary.length)) };
}

class Reader {
  readonly output: number[];
  readonly #input: Uint8Array;
  readonly #most: number;
  #bit = 0;

  constructor(input: Uint8Array, dictionary: Uint8Array, maxBytes: number) {
    this.#input = input;
    this.output = [...dictionary];
    this.#most = dictionary.length + maxBytes;
  }

  get isAtEnd(): boolean {
    return this.#bit >= this.#input.length * 8;
  }

  readStream(): void {
    for (let isLast = false; !isLast; ) {
      isLast = this.#bits(1) === 1;
      const type = this.#bits(2);
      if (type === 0) this.#stored();
      else if (type === 1) this.#compressed(FIXED_LITERALS, FIXED_DISTANCES);
      else if (type === 2) this.#dynamic();
      else throw new RangeError("block type 3");
    }
    this.#bit = Math.ceil(this.#bit / 8) * 8;
  }

  #bits(count: number): number {
    let value = 0;
    for (let at = 0; at < count; at++) {
      const byte = this.#input[this.#bit >> 3];
      if (byte === undefined) throw new RangeError("cut off");
      value |= ((byte >> (this.#bit++ & 7)) & 1) << at;
    }
    return value;
  }

  #put(byte: number): void {
    if (this.output.length === this.#most) throw new RangeError("too big");
    this.output.push(byte);
  }

  #stored(): void {
    this.#bit = Math.ceil(this.#bit / 8) * 8;
    const length = this.#bits(16);
    if ((this.#bits(16) ^ 0xffff) !== length) throw new RangeError("stored length");
    for (let left = length; left > 0; left--) this.#put(this.#bits(8));
  }

  #dynamic(): void {
    const literals = this.#bits(5) + 257;
    const distances = this.#bits(5) + 1;
    const codes = this.#bits(4) + 4;
    if (literals > 286 || distances > 30) throw new RangeError("too many codes");
    const lengths = Array<number>(19).fill(0);
    for (let at = 0; at < codes; at++) lengths[ORDER[at]!] = this.#bits(3);
    const lengthCodes = toCodes(lengths, false);
    const all: number[] = [];
    while (all.length < literals + distances) {
      const symbol = this.#symbol(lengthCodes);
      if (symbol < 16) all.push(symbol);
      else {
        const last = all.at(-1);
        if (symbol === 16 && last === undefined) throw new RangeError("nothing to repeat");
        const times = symbol === 16 ? 3 + this.#bits(2) : symbol === 17 ? 3 + this.#bits(3) : 11 + this.#bits(7);
        for (let left = times; left > 0; left--) all.push(symbol === 16 ? last! : 0);
      }
    }
    if (all.length > literals + distances) throw new RangeError("too many lengths");
    if (all[256] === 0) throw new RangeError("no end of block");
    this.#compressed(toCodes(all.slice(0, literals), true), toCodes(all.slice(literals), true));
  }

  #compressed(literals: Codes, distances: Codes): void {
    for (;;) {
      const symbol = this.#symbol(literals);
      if (symbol === 256) return;
      if (symbol < 256) {
        this.#put(symbol);
        continue;
      }
      const base = LENGTHS[symbol - 257];
      if (base === undefined) throw new RangeError("length symbol");
      const length = base + this.#bits(LENGTH_BITS[symbol - 257]!);
      const code = this.#symbol(distances);
      const far = DISTANCES[code];
      if (far === undefined) throw new RangeError("distance symbol");
      const distance = far + this.#bits(DISTANCE_BITS[code]!);
      if (distance > this.output.length || distance > WINDOW) throw new RangeError("too far back");
      for (let left = length; left > 0; left--) this.#put(this.output.at(-distance)!);
    }
  }

  #symbol({ counts, symbols }: Codes): number {
    let [code, first, index] = [0, 0, 0];
    for (let length = 1; length < 16; length++) {
      code |= this.#bits(1);
      const count = counts[length]!;
      if (code - count < first) return symbols[index + code - first]!;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw new RangeError("no such code");
  }
}

/** RFC 1951 §3.2.2. An incomplete set is valid only if it has one code of one bit (§3.2.7), or none. */
function toCodes(lengths: readonly number[], mayBeIncomplete: boolean): Codes {
  const counts = Array<number>(16).fill(0);
  for (const length of lengths) counts[length]! += 1;
  let left = 1;
  for (let length = 1; length < 16; length++) {
    left = left * 2 - counts[length]!;
    if (left < 0) throw new RangeError("over-full set");
  }
  const used = lengths.length - counts[0]!;
  const isSingle = used === 0 || (used === 1 && counts[1] === 1);
  if (left > 0 && !(mayBeIncomplete && isSingle)) throw new RangeError("incomplete set");
  const offsets = [0, 0];
  for (let length = 1; length < 15; length++) offsets.push(offsets[length]! + counts[length]!);
  const symbols: number[] = [];
  lengths.forEach((length, symbol) => {
    if (length > 0) symbols[offsets[length]!++] = symbol;
  });
  return { counts, symbols };
}

const FIXED_LITERALS = toCodes(
  Array.from({ length: 288 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8)),
  false,
);
const FIXED_DISTANCES = toCodes(Array<number>(32).fill(5), false);
