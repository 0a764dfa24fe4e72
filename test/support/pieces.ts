// The output of a protocol as one latin1 string, so that tests compare literal text.

import { latin1, type Piece } from "../../src/base/bytes.ts";

/** Everything in `output`, one character per byte. */
export function text(output: Piece | readonly Piece[] | undefined): string {
  if (output === undefined) return "";
  if (typeof output === "string") return output;
  return output instanceof Uint8Array ? latin1(output) : output.map((piece) => text(piece)).join("");
}
