// The error class and its codes. The client imports this file alone: the table of messages and wire forms in `errors.ts`
// would be an eighth of its size, so an error of the client has its code as its message.

/** Stable name of an error. Codes are never renamed; new ones may be added. */
export type ErrorCode =
  | "BAD_REQUEST"
  | "BODY_TOO_LARGE"
  | "TARGET_TOO_LONG"
  | "HEADERS_TOO_LARGE"
  | "EXPECTATION_FAILED"
  | "REQUEST_TIMEOUT"
  | "NOT_IMPLEMENTED"
  | "VERSION_NOT_SUPPORTED"
  | "BAD_HANDSHAKE"
  | "UNSUPPORTED_WEBSOCKET_VERSION"
  | "FORBIDDEN_ORIGIN"
  | "IDENTITY_EXPIRED"
  | "FORBIDDEN_HOST"
  | "BAD_FRAME"
  | "BAD_UTF8"
  | "BAD_DEFLATE"
  | "BAD_RECORD"
  | "TOO_MANY_SESSIONS"
  | "SESSION_UNREACHABLE"
  | "MESSAGE_TOO_BIG"
  | "TOO_MANY_FRAGMENTS"
  | "TOO_MANY_CONTROL_FRAMES"
  | "RATE_EXCEEDED"
  | "BUFFER_OVERFLOW"
  | "RECEIVE_OVERFLOW"
  | "MESSAGE_TIMEOUT"
  | "WRITE_TIMEOUT"
  | "BAD_DATA"
  | "BAD_MESSAGE"
  | "BAD_STATUS"
  | "BAD_HEADER"
  | "BAD_CLOSE"
  | "BAD_OPTION"
  | "BODY_LENGTH_MISMATCH"
  | "BODY_USED"
  | "CLIENT_GONE"
  | "CHANNEL_CLOSED"
  | "CONNECT_FAILED"
  | "CONNECTION_CLOSED"
  | "ALREADY_ANSWERED"
  | "ALREADY_ATTACHED"
  | "UPGRADE_UNANSWERED"
  | "UPGRADE_TAKEN"
  | "NOT_OUR_REQUEST"
  | "HANDLER_EXISTS"
  | "BACKPLANE_UNAVAILABLE"
  | "REQUEST_FAILED"
  | "REQUEST_REFUSED"
  | "REQUEST_UNHANDLED"
  | "REQUEST_LOST"
  | "REQUEST_CANCELLED"
  | "REPLY_TIMEOUT"
  | "TOO_MANY_REQUESTS"
  | "REQUESTS_UNSUPPORTED"
  | "SNAPSHOT_FAILED"
  | "STREAM_BUSY"
  | "STREAM_FAILED"
  | "STREAM_LOST";

export interface ErrorFacts {
  readonly message: string;
  /** HTTP status, where the answer can still be one. RFC 9110 §15. */
  readonly status?: number;
  /** WebSocket close code, where the connection is failed with one. RFC 6455 §7.4.1. */
  readonly closeCode?: number;
}

const known: Partial<Record<ErrorCode, ErrorFacts>> = {};

/** Adds messages and wire forms to all errors made from now on. Called once, when `errors.ts` is loaded. */
export function registerErrorFacts(facts: Readonly<Record<ErrorCode, ErrorFacts>>): void {
  Object.assign(known, facts);
}

/** The error class of this library: `code` names the error, `message` describes it with the details. */
export class ChannelError extends Error {
  /** The stable name of the error; docs/reference/errors.md describes each. */
  readonly code: ErrorCode;
  /** The HTTP status that answers this error, if one does. */
  readonly status: number | undefined;
  /** The WebSocket close code that fails the connection for this error, if one does. */
  readonly closeCode: number | undefined;

  constructor(code: ErrorCode, detail?: string, options?: ErrorOptions) {
    const { message = code, status, closeCode }: Partial<ErrorFacts> = known[code] ?? {};
    super(detail === undefined ? message : `${message}: ${detail}`, options);
    this.name = "ChannelError";
    this.code = code;
    this.status = status;
    this.closeCode = closeCode;
  }
}
