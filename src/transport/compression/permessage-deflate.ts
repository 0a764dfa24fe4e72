// permessage-deflate as a WebSocketConnection wants it: RFC 7692 §7.2, with node:zlib.

import { utf8Length } from "../../base/bytes.ts";
import type { DeflateParameters } from "../../codec/ws-extensions.ts";
import type { Compression } from "../../protocol/compression.ts";
import {
  type CompressSettings,
  type Deflater,
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
  /** What compresses messages on their own, where the server takes no context over. */
  readonly #deflater: Deflater | undefined;
  /** §7.1.1: what either side has compressed so far, where it may look back. */
  readonly #sent: History | undefined;
  readonly #received: History | undefined;

  constructor(parameters: DeflateParameters, settings: CompressSettings) {
    this.#settings = { ...settings, windowBits: parameters.serverMaxWindowBits };
    if (parameters.serverNoContextTakeover) this.#deflater = sharedDeflater(this.#settings);
    else this.#sent = new History(parameters.serverMaxWindowBits);
    if (!parameters.clientNoContextTakeover) this.#received = new History(parameters.clientMaxWindowBits);
  }

  /** Undefined also for what does not get smaller: §6 has a message that is not compressed leave the window alone. */
  deflate(data: string | Uint8Array): Uint8Array | undefined {
    const { thresholdBytes, takeoverThresholdBytes } = this.#settings;
    if (this.#deflater !== undefined) {
      if (!reaches(thresholdBytes, data)) return undefined;
      const payload = withoutEnd(this.#deflater.deflate(data));
      const isSmaller = payload.length < data.length || payload.length < lengthOf(data);
      return isSmaller ? payload : undefined;
    }
    if (!reaches(takeoverThresholdBytes, data)) return undefined;
    const bytes = toBytes(data);
    const payload = withoutEnd(deflate(bytes, this.#settings, this.#sent));
    if (payload.length >= bytes.length) return undefined;
    this.#sent!.add(bytes);
    return payload;
  }

  key(data: string | Uint8Array): number | undefined {
    if (this.#deflater === undefined) return undefined;
    const { thresholdBytes, level, windowBits } = this.#settings;
    return reaches(thresholdBytes, data) ? level * 16 + windowBits : 0;
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

function lengthOf(data: string | Uint8Array): number {
  return typeof data === "string" ? utf8Length(data) : data.length;
}
