// DEFLATE (RFC 1951) of single messages with node:zlib, for permessage-deflate and gzip streams.
//
// Everything is done at once, in the turn that asks for it, so messages keep their order and no state waits in between.
// That costs less than zlib's streams at every size (docs/decisions/0009): a stream goes through the thread pool for each
// message. Of earlier messages a stream keeps only the last bytes (RFC 1951 §2), and zlib takes
// those as its dictionary: `History`.

import { allocate, concat, utf8Bytes } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import {
  badValue,
  checkAmount,
  checkBoolean,
  checkInteger,
  checkOptions,
  type ValueCheck,
} from "../../base/option-values.ts";
import type { EncodedBody } from "../../protocol/encoded-message.ts";
import { nodeZlib } from "../node-modules.ts";

/** The option `compress` as an object. */
export interface CompressOptions {
  /** Messages of fewer bytes are not compressed. @default 1024, or 0 where context is taken over */
  readonly thresholdBytes?: number | undefined;
  /** zlib's: 1 is fastest, 9 smallest. @default 1 */
  readonly level?: number | undefined;
  /**
   * Compress with the help of the messages before: small ones that resemble each other shrink to a fraction, but each
   * connection has its own work and memory, where otherwise one compressed message serves a whole group.
   * @default false for a WebSocket, true for a streamed response
   */
  readonly contextTakeover?: boolean | undefined;
  /**
   * The window size is 2 to the power of this many bytes, 8 to 15. With context takeover each connection keeps a window for
   * either direction. @default 15, or 13 with context takeover
   */
  readonly windowBits?: number | undefined;
}

/** The options with their defaults. */
export interface CompressSettings {
  /** The threshold for a message that is compressed on its own. */
  readonly thresholdBytes: number;
  /** The threshold for a message that is compressed with context takeover. */
  readonly takeoverThresholdBytes: number;
  readonly level: number;
  readonly contextTakeover: boolean;
  readonly windowBits: number;
}

/** The settings for a message that is compressed on its own. */
export type DeflateSettings = Pick<CompressSettings, "level" | "windowBits">;

const MAX_WINDOW_BITS = 15;

/** Larger inputs and outputs are worked through in pieces of this size. */
const CHUNK_BYTES = 65_536;

/** zlib never looks back further than the window without this many bytes: MIN_LOOKAHEAD in its deflate.h. */
const LOOKAHEAD_BYTES = 262;

/** The end of a flush: an empty stored block without its header, RFC 7692 §7.2.1. */
export const FLUSH_END: Uint8Array = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

/** An empty final stored block: zlib reports an error for a truncated message, which does not reach it. */
const FINAL_BLOCK = Uint8Array.of(0x01, 0x00, 0x00, 0xff, 0xff);

/** Larger than all output that zlib holds. */
const MAX_OUTPUT_BYTES = 0x7fff_ffff;

/**
 * The number of DEFLATE streams that a message may consist of (RFC 7692 §7.2.3.4: a block with BFINAL set ends one). Each costs
 * an engine of its own, some 5 µs for as little as two bytes.
 */
const MAX_STREAMS = 64;

const COMPRESS_OPTIONS: Readonly<Record<keyof CompressOptions, ValueCheck>> = {
  thresholdBytes: checkAmount,
  level: checkInteger(1, 9),
  contextTakeover: checkBoolean,
  windowBits: checkInteger(8, MAX_WINDOW_BITS),
};

/** Throws BAD_OPTION unless the value is one of the option `compress`. */
export function checkCompress(name: string, value: unknown): void {
  if (typeof value === "boolean") return;
  if (typeof value !== "object" || value === null) throw badValue(name, value, "true, false or an object");
  checkOptions(name, value, COMPRESS_OPTIONS, `${name}.`);
}

/** Throws BAD_OPTION. */
export function toCompressSettings(
  options: CompressOptions | true,
  defaults: Pick<CompressSettings, "contextTakeover">,
): CompressSettings {
  checkCompress("compress", options);
  const { contextTakeover = defaults.contextTakeover, thresholdBytes, level = 1 } = options === true ? {} : options;
  const { windowBits = contextTakeover ? 13 : MAX_WINDOW_BITS } = options === true ? {} : options;
  return {
    thresholdBytes: thresholdBytes ?? 1024,
    takeoverThresholdBytes: thresholdBytes ?? 0,
    level,
    contextTakeover,
    windowBits,
  };
}

/** `data` as DEFLATE blocks, none of them final, ended at a byte; FLUSH_END is the end of it. */
export function deflate(bytes: Uint8Array, { level, windowBits }: DeflateSettings, history?: History): Uint8Array {
  const dictionary = history?.bytes;
  const { constants, deflateRawSync } = nodeZlib();
  return deflateRawSync(bytes, {
    finishFlush: constants.Z_SYNC_FLUSH,
    level,
    ...engineFor(bytes.length + (dictionary?.length ?? 0), windowBits),
    chunkSize: Math.min(bytes.length + 64, CHUNK_BYTES),
    ...(dictionary === undefined || dictionary.length === 0 ? {} : { dictionary }),
  });
}

/** A whole gzip file: RFC 1952. */
export function gzip(bytes: Uint8Array, level: number): Uint8Array {
  return nodeZlib().gzipSync(bytes, { level, ...engineFor(bytes.length, MAX_WINDOW_BITS) });
}

/**
 * Inflates a payload from which the sender has removed the end. Throws MESSAGE_TOO_BIG as soon as there are more than `maxBytes`,
 * before they are held, and BAD_DEFLATE.
 */
export function inflate(payload: Uint8Array, maxBytes: number, history?: History): Uint8Array {
  const input = withEnd(payload);
  let dictionary = history?.bytes;
  let { bytes, used } = inflateStream(input, maxBytes, dictionary);
  if (used === input.length) return bytes;
  const pieces = [bytes];
  let length = bytes.length;
  for (let streams = 1; used < input.length; streams++) {
    if (streams === MAX_STREAMS) throw new ChannelError("BAD_DEFLATE", "too many final blocks");
    dictionary = lastWindow(dictionary, bytes);
    const next = inflateStream(input.subarray(used), maxBytes - length, dictionary);
    bytes = next.bytes;
    pieces.push(bytes);
    length += bytes.length;
    used += next.used;
  }
  return concat(pieces);
}

/** The last 32 KiB of `before` and `bytes` together: as far back as any stream may look. */
function lastWindow(before: Uint8Array | undefined, bytes: Uint8Array): Uint8Array {
  const window = 1 << MAX_WINDOW_BITS;
  if (before === undefined || bytes.length >= window) return bytes.subarray(-window);
  return concat([before.subarray(-(window - bytes.length)), bytes]);
}

/** The latest bytes of a stream: the window of LZ77. */
export class History {
  readonly #limit: number;
  #buffer: Uint8Array = allocate(0);
  #length = 0;

  constructor(windowBits: number) {
    this.#limit = 1 << windowBits;
  }

  /** The window. Valid until the next `add`. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  add(bytes: Uint8Array): void {
    const added = bytes.length > this.#limit ? bytes.subarray(-this.#limit) : bytes;
    const kept = Math.min(this.#length, this.#limit - added.length);
    if (kept + added.length > this.#buffer.length) this.#grow(kept + added.length);
    if (kept < this.#length) this.#buffer.copyWithin(0, this.#length - kept, this.#length);
    this.#buffer.set(added, kept);
    this.#length = kept + added.length;
  }

  #grow(length: number): void {
    // Not from the pool: it lives as long as the connection.
    const larger = new Uint8Array(Math.min(this.#limit, Math.max(length, 2 * this.#buffer.length)));
    larger.set(this.bytes);
    this.#buffer = larger;
  }
}

/**
 * Compresses data on their own, once for all that send the same in one turn: an application that sends a text to many channels
 * in a loop, and a group's message to event streams. All with the same settings share a Deflater (`sharedDeflater`).
 */
export class Deflater {
  readonly #settings: DeflateSettings;
  #key: unknown;
  #deflated: Uint8Array | undefined;
  readonly #forget = (): void => {
    this.#key = undefined;
    this.#deflated = undefined;
  };

  constructor(settings: DeflateSettings) {
    this.#settings = settings;
  }

  /**
   * Like `deflate`. The result must not change. `key`: a text, or an object that stands for one content of the bytes; not the
   * bytes, which the application may change and send again in the same turn.
   */
  deflate(data: string | Uint8Array, key: string | EncodedBody): Uint8Array {
    if (key === this.#key) return this.#deflated!;
    if (this.#key === undefined) queueMicrotask(this.#forget);
    const deflated = deflate(toBytes(data), this.#settings);
    this.#key = key;
    this.#deflated = deflated;
    return deflated;
  }
}

/** There are 9 levels and 8 windows, and one of each at most. */
const deflaters = new Map<number, Deflater>();

export function sharedDeflater(settings: DeflateSettings): Deflater {
  const key = settings.level * 16 + settings.windowBits;
  let deflater = deflaters.get(key);
  if (deflater === undefined) {
    deflater = new Deflater(settings);
    deflaters.set(key, deflater);
  }
  return deflater;
}

/** True if `data` has at least this many bytes in UTF-8. */
export function reaches(thresholdBytes: number, data: string | Uint8Array): boolean {
  // A character of a string is at most three bytes.
  if (data.length >= thresholdBytes) return true;
  if (typeof data !== "string" || data.length * 3 < thresholdBytes) return false;
  return utf8Bytes(data).length >= thresholdBytes;
}

export function toBytes(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? utf8Bytes(data) : data;
}

/**
 * Makes the smallest engine for this many bytes: a small message costs little but the setup of its memory. 100 bytes take 8 µs,
 * with zlib's defaults 15 µs, and 1 ms where the allocator gives the 256 KiB back to the system each time.
 */
function engineFor(length: number, maxWindowBits: number): { windowBits: number; memLevel: number } {
  // The smallest window in which all can be looked back over; zlib has none below 9 bits, where it never looks back more
  // than 250 bytes, so that it keeps to 8 as well (Chromium does the same).
  const windowBits = Math.max(9, 32 - Math.clz32(length + LOOKAHEAD_BYTES - 1));
  return { windowBits: Math.max(9, Math.min(windowBits, maxWindowBits)), memLevel: length <= 4096 ? 5 : 8 };
}

function inflateStream(
  input: Uint8Array,
  maxBytes: number,
  dictionary: Uint8Array | undefined,
): { bytes: Uint8Array; used: number } {
  let result: { readonly buffer: Uint8Array; readonly engine: { readonly bytesWritten: number } };
  try {
    result = nodeZlib().inflateRawSync(input, {
      info: true,
      // zlib.js stops as soon as it has more than this: it then holds at most one chunk more.
      maxOutputLength: Math.max(1, Math.min(maxBytes, MAX_OUTPUT_BYTES)),
      // Small messages pin no large buffer; 64 KiB is where larger chunks gain nothing.
      chunkSize: Math.min(Math.max(256, 4 * input.length), CHUNK_BYTES),
      ...(dictionary === undefined || dictionary.length === 0 ? {} : { dictionary }),
    }) as unknown as typeof result;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") throw new ChannelError("MESSAGE_TOO_BIG");
    throw new ChannelError("BAD_DEFLATE", undefined, { cause: error });
  }
  if (result.buffer.length > maxBytes) throw new ChannelError("MESSAGE_TOO_BIG");
  return { bytes: result.buffer, used: result.engine.bytesWritten };
}

/**
 * RFC 7692 §7.2.2: adds the end that the sender has removed. A compliant payload never ends with 0xFF. One that has its end
 * already, or is empty, comes from a sender whose zlib had nothing to flush for an empty message or an empty last fragment,
 * and which does not follow §7.2.3.6.
 */
function withEnd(payload: Uint8Array): Uint8Array {
  const isWhole = payload.length === 0 || payload[payload.length - 1] === 0xff;
  return concat(isWhole ? [payload, FINAL_BLOCK] : [payload, FLUSH_END, FINAL_BLOCK]);
}
