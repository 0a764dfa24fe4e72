// The check of a response's head, for hosts that write it themselves.

import { ChannelError } from "../base/errors.ts";
import type { ResponseHead } from "../codec/http1-response.ts";
import { isFieldValue, isToken } from "../codec/http1-syntax.ts";

/** Throws BAD_STATUS or BAD_HEADER for a status or field that a client could not read back unchanged, like the engine. */
export function checkHead({ status, fields }: ResponseHead): void {
  if (!Number.isInteger(status) || status < 100 || status > 999) throw new ChannelError("BAD_STATUS", String(status));
  for (let i = 0; i < fields.length; i += 2) {
    if (!isToken(fields[i]!)) throw new ChannelError("BAD_HEADER", "name is not a token");
    if (!isFieldValue(fields[i + 1]!)) throw new ChannelError("BAD_HEADER", fields[i]!);
  }
}
