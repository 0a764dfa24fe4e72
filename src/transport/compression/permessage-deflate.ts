// The Compression of a WebSocketConnection: permessage-deflate (RFC 7692 §7.2) with node:zlib.

import { utf8Length } from "../../base/bytes.ts";
import type { DeflateParameters } from "../../codec/ws-extensions.ts";
import type { Compression, CompressionKey } from "../../protocol/compression.ts";
import {
  type CompressSettings,
  deflate,
  FLUSH_END,
  History,
  inflate,
  reaches,
  sharedDeflater,
  toBytes,
} from "./deflate.ts";

export class PermessageDeflate implements Compression {
  readonly #settings: CompressSettings;
  /** §7.1.1: the latest bytes of each direction; undefined if each message is compressed on its own. */
  readonly #sent: History | undefined;
  readonly #received: History | undefined;

  constructor(parameters: DeflateParameters, settings: CompressSettings) {
    this.#settings = { ...settings, windowBits: parameters.serverMaxWindowBits };
    if (!parameters.serverNoContextTakeover) this.#sent = new History(parameters.serverMaxWindowBits);
    if (!parameters.clientNoContextTakeover) this.#received = new History(parameters.clientMaxWindowBits);
  }

  /** Returns undefined also for a message that does not get smaller: uncompressed, it leaves the window alone (§6). */
  deflate(data: string | Uint8Array): Uint8Array | undefined {
    const { thresholdBytes, takeoverThresholdBytes } = this.#settings;
    if (!reaches(this.#sent === undefined ? thresholdBytes : takeoverThresholdBytes, data)) return undefined;
    if (this.#sent === undefined && typeof data === "string") return this.#deflateAlone(data);
    const bytes = toBytes(data);
    const payload = withoutEnd(deflate(bytes, this.#settings, this.#sent));
    if (payload.length >= bytes.length) return undefined;
    this.#sent?.add(bytes);
    return payload;
  }

  /** Compresses a text once for all connections that send it in one turn. Bytes are not shared: they may change meanwhile. */
  #deflateAlone(text: string): Uint8Array | undefined {
    const payload = withoutEnd(sharedDeflater(this.#settings).deflate(text, text));
    return payload.length < text.length || payload.length < utf8Length(text) ? payload : undefined;
  }

  key(data: string | Uint8Array): CompressionKey {
    if (this.#sent !== undefined) return "dependent";
    const { thresholdBytes, level, windowBits } = this.#settings;
    return reaches(thresholdBytes, data) ? level * 16 + windowBits : "uncompressed";
  }

  inflate(payload: Uint8Array, maxBytes: number): Uint8Array {
    const bytes = inflate(payload, maxBytes, this.#received);
    this.#received?.add(bytes);
    return bytes;
  }
}

/** §7.2.1 step 3. */
function withoutEnd(blocks: Uint8Array): Uint8Array {
  return blocks.subarray(0, -FLUSH_END.length);
}
