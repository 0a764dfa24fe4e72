// The answers of a process that was asked for a session that it cannot serve: the process that asked looks for it elsewhere. A
// field tells them from an application's own answers with these statuses.

import type { ResponseHead } from "../../codec/http1-response.ts";

/** In lower case. */
const FIELD = "unichannel-session";

/** The process does not have the session. RFC 9110 §15.5.20: 421 (Misdirected Request). */
export const NOT_HERE: ResponseHead = { status: 421, fields: [FIELD, "not here"] };
/** The process stops, and has put the session into the session store or is about to. RFC 9110 §15.6.4: 503 (Service Unavailable). */
export const LEAVING: ResponseHead = { status: 503, fields: [FIELD, "leaving"] };

/** Undefined for the answer of a process that serves the session. */
export function absenceIn(
  status: number | undefined,
  fields: Readonly<Record<string, unknown>>,
): "notHere" | "leaving" | undefined {
  if (fields[FIELD] === undefined) return undefined;
  if (status === NOT_HERE.status) return "notHere";
  return status === LEAVING.status ? "leaving" : undefined;
}
