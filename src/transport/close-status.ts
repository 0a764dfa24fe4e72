// How a conversation ended, in the same words for every transport. RFC 6455 §7.4.1 names the codes.

import { quoted } from "../base/debug-log.ts";

/** The name of a close code (RFC 6455 §7.4.1), or `server-close`, `client-close` for the ordinary ends. */
export type CloseName =
  | "server-close"
  | "client-close"
  | "normal"
  | "going-away"
  | "protocol-error"
  | "unsupported"
  | "no-status"
  | "abnormal"
  | "invalid-payload"
  | "policy-violation"
  | "message-too-big"
  | "mandatory-extension"
  | "internal-error"
  | "service-restart"
  | "try-again-later"
  | "application"
  | "unknown";

/** How a conversation ended, in the same words for every transport. */
export interface CloseStatus {
  /** Who ended it: our side, the client, or the network between (no goodbye from either). */
  readonly by: "server" | "client" | "network";
  /** The WebSocket close code; on HTTP 1000 for the server's close, 1001 for a client that left, 1006 for a failure. */
  readonly code: number;
  /** The reason that the closing side gave, or an empty string. */
  readonly reason: string;
  /** The name of the code; `server-close` for the server's own 1000. */
  readonly name: CloseName;
}

const NAMES: ReadonlyMap<number, CloseName> = new Map([
  [1000, "normal"],
  [1001, "going-away"],
  [1002, "protocol-error"],
  [1003, "unsupported"],
  [1005, "no-status"],
  [1006, "abnormal"],
  [1007, "invalid-payload"],
  [1008, "policy-violation"],
  [1009, "message-too-big"],
  [1010, "mandatory-extension"],
  [1011, "internal-error"],
  [1012, "service-restart"],
  [1013, "try-again-later"],
]);

/** A WebSocket's end. The server's own 1000 is `server-close`; its other codes keep the name of their cause. */
export function closeStatus(by: CloseStatus["by"], code: number, reason = ""): CloseStatus {
  return { by, code, reason, name: by === "server" && code === 1000 ? "server-close" : closeName(code) };
}

/** An HTTP client left: FIN or reset. */
export function clientLeft(): CloseStatus {
  return { by: "client", code: 1001, reason: "", name: "client-close" };
}

/** The connection failed. */
export function connectionFailed(reason = ""): CloseStatus {
  return closeStatus("network", 1006, reason);
}

/** For the lines of NODE_DEBUG. */
export function describeClose({ by, code, name, reason }: CloseStatus): string {
  return `by the ${by}, ${code} ${name}${reason === "" ? "" : `, ${quoted(reason)}`}`;
}

function closeName(code: number): CloseName {
  const name = NAMES.get(code);
  if (name !== undefined) return name;
  // RFC 6455 §7.4.2: 3000–3999 are registered, 4000–4999 private; both belong to the application.
  return code >= 3000 && code <= 4999 ? "application" : "unknown";
}
