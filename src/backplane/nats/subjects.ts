// Any text as one token of a subject of NATS, where dots, stars and spaces mean something and a line is 4 KiB at most.

import { createHash } from "node:crypto";

/** The longest text that goes in as it is; longer ones are told apart by their hash. */
const MAX_BYTES = 200;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** No two texts give the same token. */
export function nameToken(name: string): string {
  // UTF-8 has no form for half a surrogate pair; such names go in as UTF-16.
  const isUtf8 = !LONE_SURROGATE.test(name);
  const bytes = Buffer.from(name, isUtf8 ? "utf8" : "utf16le");
  const kind = isUtf8 ? "u" : "w";
  if (bytes.length <= MAX_BYTES) return kind + bytes.toString("base64url");
  return `h${kind}${createHash("sha256").update(bytes).digest("base64url")}`;
}
