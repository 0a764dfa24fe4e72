// The end of a channel or connection, in the same words for every transport and at both ends. RFC 6455 §7.4.1 names the codes.

/** Names of the codes from 1000 on; 1004 has no meaning. */
const NAMES = [
  "normal",
  "going-away",
  "protocol-error",
  "unsupported",
  undefined,
  "no-status",
  "abnormal",
  "invalid-payload",
  "policy-violation",
  "message-too-big",
  "mandatory-extension",
  "internal-error",
  "service-restart",
  "try-again-later",
] as const;

/** Name of a close code (RFC 6455 §7.4.1); `server-close` and `client-close` name the ordinary ends. */
export type CloseName =
  | NonNullable<(typeof NAMES)[number]>
  | "server-close"
  | "client-close"
  | "application"
  | "unknown";

/** The end of a conversation, in the same words for every transport and at both ends. */
export interface CloseStatus {
  /** The end that closed; "network" if the connection failed and neither end has said that it closes. */
  readonly by: "server" | "client" | "network";
  /** The WebSocket close code; on HTTP 1000 for the server's close, 1001 for a client that left, 1006 for a failure. */
  readonly code: number;
  /** The reason that the closing end gave, or an empty string. */
  readonly reason: string;
  /** Name of the code; `server-close` for the server's own 1000. */
  readonly name: CloseName;
}

/** The status of a WebSocket or session. A server's 1000 is `server-close`; other codes have the same name at both ends. */
export function closeStatus<By extends CloseStatus["by"]>(
  by: By,
  code: number,
  reason = "",
): CloseStatus & { readonly by: By } {
  return { by, code, reason, name: by === "server" && code === 1000 ? "server-close" : closeName(code) };
}

function closeName(code: number): CloseName {
  // RFC 6455 §7.4.2: 3000–3999 are registered, 4000–4999 private; both belong to the application.
  return NAMES[code - 1000] ?? (code >= 3000 && code <= 4999 ? "application" : "unknown");
}
