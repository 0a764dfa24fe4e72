// Responses in gzip: RFC 9110 §8.4.1.3, RFC 1952. A GzipResponse compresses plain answers, streams and event streams for its
// exchange, each part at once, so that a client sees an event before the next one is made.

import { concat } from "../../base/bytes.ts";
import { acceptsGzip } from "../../codec/accept.ts";
import { withVary } from "../../codec/field-list.ts";
import { joinedValues } from "../../codec/field-values.ts";
import type { ResponseHead } from "../../codec/http1-response.ts";
import { statusHasBody } from "../../codec/http1-response.ts";
import type { EncodedBody } from "../../protocol/encoded-message.ts";
import type { Exchange, ResponseWriter } from "../exchange.ts";
import { nodeZlib } from "../node-modules.ts";
import {
  type CompressSettings,
  type Deflater,
  deflate,
  gzip,
  History,
  reaches,
  sharedDeflater,
  toBytes,
} from "./deflate.ts";

/** RFC 1952 §2.3: magic, DEFLATE, no flags, no time, no extra flags, unknown system. */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);

/** RFC 1951 §3.2.4: a stored block's length has 16 bits. */
const MAX_STORED_BYTES = 65_535;

export class GzipResponse implements ResponseWriter {
  readonly #exchange: Exchange;
  readonly #settings: CompressSettings;
  readonly #isAccepted: boolean;
  #body: GzipBody | undefined;

  constructor(exchange: Exchange, settings: CompressSettings) {
    this.#exchange = exchange;
    this.#settings = settings;
    this.#isAccepted = acceptsGzip(joinedValues(exchange.head.fields, "accept-encoding"));
  }

  respond(response: ResponseHead, body: string | Uint8Array | null): void {
    // The encoded response has no `Vary`.
    const varied = varying(response);
    if (body === null || !this.#mayEncode(response) || !reaches(this.#settings.thresholdBytes, body)) {
      this.#exchange.respond(varied, body);
    } else if (this.#exchange.head.method === "HEAD") {
      // Begun and over: the length that GET would have is not worth the work, and may be left out (RFC 9110 §8.6).
      this.#exchange.start(encoded(varied));
    } else {
      const bytes = toBytes(body);
      const zipped = gzip(bytes, this.#settings.level);
      if (zipped.length < bytes.length) this.#exchange.respond(encoded(varied), zipped);
      else this.#exchange.respond(varied, bytes);
    }
  }

  start(response: ResponseHead, length?: number): boolean {
    if (!this.#mayEncode(response)) return this.#exchange.start(varying(response), length);
    const hasBody = this.#exchange.start(encoded(varying(response)));
    if (hasBody) this.#body = new GzipBody(this.#settings);
    return hasBody;
  }

  write(part: string | Uint8Array, encoded?: EncodedBody): void {
    if (part.length === 0) return;
    if (this.#body === undefined) this.#exchange.write(part, encoded);
    // The compressed bytes depend on the earlier parts of this body.
    else this.#exchange.write(this.#body.encode(part, encoded));
  }

  end(): void {
    if (this.#body !== undefined) this.#exchange.write(this.#body.end());
    this.#exchange.end();
  }

  #mayEncode({ status, fields }: ResponseHead): boolean {
    if (!this.#isAccepted || !statusHasBody(status)) return false;
    // RFC 9110 §14.4: the positions of a partial response count the bytes that the application has.
    return status !== 206 && joinedValues(fields, "content-encoding") === undefined;
  }
}

class GzipBody {
  readonly #settings: CompressSettings;
  readonly #deflater: Deflater | undefined;
  readonly #history: History | undefined;
  #isBegun = false;
  #crc = 0;
  #size = 0;

  constructor(settings: CompressSettings) {
    this.#settings = settings;
    if (settings.contextTakeover) this.#history = new History(settings.windowBits);
    else this.#deflater = sharedDeflater(settings);
  }

  /** Returns all bytes that a client needs to decode `part`. `encoded`: the part, if many clients get it. */
  encode(part: string | Uint8Array, encoded: EncodedBody | undefined): Uint8Array {
    const bytes = toBytes(part);
    this.#crc = nodeZlib().crc32(bytes, this.#crc);
    this.#size = (this.#size + bytes.length) >>> 0;
    const blocks = this.#blocks(bytes, typeof part === "string" ? part : encoded);
    this.#history?.add(bytes);
    return this.#begun(blocks);
  }

  /** An empty last block, and RFC 1952 §2.3.1: CRC and size, the low byte first. */
  end(): Uint8Array {
    const trailer = new Uint8Array(10);
    trailer[0] = 0x03;
    const view = new DataView(trailer.buffer);
    view.setUint32(2, this.#crc, true);
    view.setUint32(6, this.#size, true);
    return this.#begun(trailer);
  }

  /** `key`: see `Deflater`. Bytes that one client gets have none: they may change before they are sent again. */
  #blocks(bytes: Uint8Array, key: string | EncodedBody | undefined): Uint8Array {
    const { thresholdBytes, takeoverThresholdBytes } = this.#settings;
    if (this.#deflater === undefined) {
      return bytes.length < takeoverThresholdBytes ? stored(bytes) : deflate(bytes, this.#settings, this.#history);
    }
    if (bytes.length < thresholdBytes) return stored(bytes);
    return key === undefined ? deflate(bytes, this.#settings) : this.#deflater.deflate(bytes, key);
  }

  #begun(bytes: Uint8Array): Uint8Array {
    if (this.#isBegun) return bytes;
    this.#isBegun = true;
    return concat([HEADER, bytes]);
  }
}

/** Encodes blocks without compression, RFC 1951 §3.2.4. */
function stored(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += MAX_STORED_BYTES) {
    const part = bytes.subarray(at, at + MAX_STORED_BYTES);
    const { length } = part;
    parts.push(Uint8Array.of(0, length & 0xff, length >>> 8, ~length & 0xff, (~length >>> 8) & 0xff), part);
  }
  return concat(parts);
}

/** RFC 9110 §12.5.5: a cache must know that others get another answer, also where this one is not compressed. */
function varying({ status, fields }: ResponseHead): ResponseHead {
  return { status, fields: withVary(fields, ["Accept-Encoding"]) };
}

function encoded({ status, fields }: ResponseHead): ResponseHead {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    const value = fields[i + 1]!;
    const lowerName = name.toLowerCase();
    // This is the length before compression.
    if (lowerName === "content-length") continue;
    // RFC 9110 §8.8.3.3: a strong validator would say that the two are the same, byte for byte.
    kept.push(name, lowerName === "etag" && !value.startsWith("W/") ? `W/${value}` : value);
  }
  kept.push("Content-Encoding", "gzip");
  return { status, fields: kept };
}
