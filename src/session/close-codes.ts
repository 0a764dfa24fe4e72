// The close codes of a session and of its carriers: PROTOCOL.md, "The end". Below 4000 they are those of RFC 6455 §7.4.1.

export const NORMAL = 1000;
export const PROTOCOL_ERROR = 1002;
export const ABNORMAL = 1006;
/** The client sends more than it may. */
export const POLICY_VIOLATION = 1008;
export const SERVICE_RESTART = 1012;
export const TRY_AGAIN_LATER = 1013;
/** The identity of the client has ended. */
export const EXPIRED = 4401;
/** More bytes are unacknowledged than the session may keep. */
export const OVERFLOW = 4408;
/** Another carrier has the session. */
export const REPLACED = 4409;

const FATAL: readonly number[] = [PROTOCOL_ERROR, 1003, 1007, POLICY_VIOLATION, 1009, 1011];

/** True if a WebSocket that the server closes with this code ends its session: the client's next one would end the same. */
export function endsSession(code: number): boolean {
  return FATAL.includes(code);
}
