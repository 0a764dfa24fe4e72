// The frames of a message that goes to many, and how the one is made that all can have (RFC 6455 §5.6).

import { type Piece, utf8Length } from "../base/bytes.ts";
import { sharedPiece } from "../base/output.ts";
import { encodeFrameHead, OPCODE } from "../codec/ws-frame.ts";

/** The frames of one message that goes to many. Filled by the connections that need them. */
export interface SharedFrames {
  plain: Piece | undefined;
  /** By `Compression.sharing`. */
  compressed: Map<number, Piece> | undefined;
}

export function plainFrame(data: string | Uint8Array, frames: SharedFrames): Piece {
  if (frames.plain === undefined) {
    const length = typeof data === "string" ? utf8Length(data) : data.length;
    frames.plain = sharedPiece(encodeFrameHead(opcodeOf(data), length), data);
  }
  return frames.plain;
}

export function opcodeOf(data: string | Uint8Array): number {
  return typeof data === "string" ? OPCODE.TEXT : OPCODE.BINARY;
}
