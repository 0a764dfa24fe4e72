// Writes any text as one token of a NATS subject, in which dots, stars and spaces have a meaning and a line has at most 4 KiB.

import { createHash } from "node:crypto";

/** Length up to which a text is written as it is; longer texts are told apart by their hash. */
const MAX_BYTES = 200;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Different texts give different tokens. */
export function nameToken(name: string): string {
  // Half a surrogate pair has no UTF-8 form: such names are written as UTF-16.
  const isUtf8 = !LONE_SURROGATE.test(name);
  const bytes = Buffer.from(name, isUtf8 ? "utf8" : "utf16le");
  const kind = isUtf8 ? "u" : "w";
  if (bytes.length <= MAX_BYTES) return kind + bytes.toString("base64url");
  return `h${kind}${createHash("sha256").update(bytes).digest("base64url")}`;
}
