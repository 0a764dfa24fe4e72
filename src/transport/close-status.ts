// Close statuses that only a server's transports make. Those of both ends are in `protocol/close-status.ts`.

import { quoted } from "../base/debug-log.ts";
import { type CloseStatus, closeStatus } from "../protocol/close-status.ts";

export { type CloseName, type CloseStatus, closeStatus } from "../protocol/close-status.ts";

/** The status of an HTTP client that has left: FIN or reset. */
export function clientLeft(): CloseStatus {
  return { by: "client", code: 1001, reason: "", name: "client-close" };
}

/** The status of a connection that has failed. */
export function connectionFailed(reason = ""): CloseStatus {
  return closeStatus("network", 1006, reason);
}

/** The status as a text, for the lines of NODE_DEBUG. */
export function describeClose({ by, code, name, reason }: CloseStatus): string {
  return `by the ${by}, ${code} ${name}${reason === "" ? "" : `, ${quoted(reason)}`}`;
}
