// Frames that a WebSocket client may send, and mutations of them.

import { deflateRawSync } from "node:zlib";
import type { Random } from "./random.ts";

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];
const FIN = 0x80;
const RSV1 = 0x40;
const MASKED = 0x80;

const TEXTS = ["", "a", "Hello", "Grüße", "€", "😀😀", "a".repeat(125), "b".repeat(126), "ü".repeat(200)];
/** Bytes that are not UTF-8, or only the beginning of a character. */
const BAD_TEXTS = ["ff", "c0af", "eda080", "f4908080", "e282", "61f09f98", "80"].map((hex) => Buffer.from(hex, "hex"));
const SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 125, 126, 127, 300, 1030, 65_535, 65_536, 100_001];
const CODES = [
  1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1011, 1012, 1014, 1015, 1016, 2999, 3000, 4999, 5000, 0, 999,
];
const REASONS = [Buffer.alloc(0), Buffer.from("why"), Buffer.from("ü".repeat(61)), Buffer.from([0xff])];
/** Length fields with a wrong length, or with more bytes than needed. */
const LENGTHS = [
  "7e0005",
  "7e0000",
  "7e007d",
  "7f0000000000000005",
  "7f000000000000ffff",
  "7fffffffffffffffff",
  "7f8000000000000000",
];
const LONG_LENGTHS = ["7f0000000100000000", "7f001fffffffffffff", "7f0020000000000000", "7f7fffffffffffffff", "7e00"];

/** The bytes of some frames, cut into the segments in which they are sent. `compressed`: permessage-deflate is agreed. */
export function frameStream(random: Random, compressed: boolean): Buffer[] {
  const frames: Buffer[] = [];
  for (let count = 1 + random.below(6); count > 0; count--) frames.push(...message(random, compressed));
  if (random.chance(0.3)) frames.push(closeFrame(random));
  if (random.chance(0.2)) frames.push(...message(random, compressed));
  let bytes: Buffer = Buffer.concat(frames);
  for (let count = random.below(4); count > 0 && bytes.length > 0; count--)
    bytes = random.pick(MUTATIONS)(bytes, random);
  return segments(bytes, random);
}

function message(random: Random, compressed: boolean): Buffer[] {
  const kind = random.below(10);
  if (kind === 0) return [frame(FIN | PING, Buffer.from("p".repeat(random.pick([0, 1, 125]))), random)];
  if (kind === 1) return [frame(FIN | PONG, Buffer.alloc(random.pick([0, 3])), random)];
  const isText = random.chance(0.6);
  let payload = isText
    ? textPayload(random)
    : Buffer.alloc(random.chance(0.1) ? random.pick(SIZES) : random.below(20), 0xfe);
  let first = isText ? TEXT! : BINARY!;
  if (compressed && random.chance(0.6)) {
    payload = deflate(payload);
    first |= RSV1;
  }
  return fragments(first, payload, random);
}

function textPayload(random: Random): Buffer {
  if (random.chance(0.08)) return Buffer.concat([Buffer.from(random.pick(TEXTS)), random.pick(BAD_TEXTS)]);
  return Buffer.from(random.pick(TEXTS));
}

/** RFC 7692 §7.2.1, without context: the result does not depend on earlier messages. */
function deflate(payload: Buffer): Buffer {
  return deflateRawSync(payload, { finishFlush: 2 }).subarray(0, -4);
}

function fragments(first: number, payload: Buffer, random: Random): Buffer[] {
  const frames: Buffer[] = [];
  let opcode = first;
  let rest = payload;
  for (let count = random.chance(0.6) ? 0 : random.below(4); count > 0; count--) {
    const at = random.below(rest.length + 1);
    frames.push(frame(opcode, rest.subarray(0, at), random));
    rest = rest.subarray(at);
    opcode = CONTINUATION!;
    if (random.chance(0.3)) frames.push(frame(FIN | PING, Buffer.from("between"), random));
  }
  return [...frames, frame(FIN | opcode, rest, random)];
}

function closeFrame(random: Random): Buffer {
  if (random.chance(0.2)) return frame(FIN | CLOSE!, Buffer.alloc(random.below(2), 3), random);
  const code = random.pick(CODES);
  return frame(FIN | CLOSE!, Buffer.concat([Buffer.of(code >> 8, code & 0xff), random.pick(REASONS)]), random);
}

function frame(first: number, payload: Buffer, random: Random): Buffer {
  const { length } = payload;
  const key = Buffer.of(random.below(256), random.below(256), random.below(256), random.below(256));
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = first;
  head[1] = MASKED | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeUInt32BE(length, 6);
  return Buffer.concat([head, key, payload.map((byte, at) => byte ^ key[at & 3]!)]);
}

type Mutation = (bytes: Buffer, random: Random) => Buffer;

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => {
    const at = random.below(bytes.length);
    return splice(bytes, at, 1, Buffer.of(bytes[at]! ^ (1 << random.below(8))));
  },
  // The first bytes are always a frame's header.
  (bytes, random) => splice(bytes, 0, 1, Buffer.of(bytes[0]! ^ (1 << random.below(8)))),
  (bytes, random) => splice(bytes, 0, 1, Buffer.of(random.below(256))),
  (bytes, random) => splice(bytes, 1, 1, Buffer.of(random.below(256))),
  (bytes, random) => splice(bytes, 1, 1, masked(random.pick(LENGTHS))),
  (bytes, random) => splice(bytes, 1, 1, masked(random.pick(LONG_LENGTHS))),
  (bytes, random) => splice(bytes, random.below(bytes.length), 1 + random.below(3), Buffer.alloc(0)),
  (bytes, random) => splice(bytes, random.below(bytes.length), 0, Buffer.of(random.below(256))),
  (bytes, random) => {
    const at = random.below(bytes.length);
    return splice(bytes, at, 0, bytes.subarray(at, at + random.below(12)));
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  (bytes, random) => Buffer.concat([frame(random.below(256), Buffer.from("x"), random), bytes]),
];

function masked(lengthHex: string): Buffer {
  const bytes = Buffer.from(lengthHex, "hex");
  bytes[0]! |= MASKED;
  return bytes;
}

function splice(bytes: Buffer, at: number, remove: number, insert: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
}

function segments(bytes: Buffer, random: Random): Buffer[] {
  const parts: Buffer[] = [];
  let rest = bytes;
  for (let count = random.below(4); count > 0 && rest.length > 0; count--) {
    const at = random.chance(0.5) ? random.below(Math.min(rest.length, 16)) : random.below(rest.length);
    parts.push(rest.subarray(0, at));
    rest = rest.subarray(at);
  }
  return [...parts, rest].filter((part) => part.length > 0);
}
