// Messages and wire forms of the error codes. The server imports ChannelError from here, so that its errors have them; a
// decoder that throws need not know who answers. Each code has a heading in docs/reference/errors.md: test/docs.test.ts
// compares the two.

import { type ErrorCode, type ErrorFacts, registerErrorFacts } from "./channel-error.ts";

export { ChannelError, type ErrorCode } from "./channel-error.ts";

const FACTS: Record<ErrorCode, ErrorFacts> = {
  BAD_REQUEST: { message: "malformed HTTP request", status: 400 },
  BODY_TOO_LARGE: { message: "request body exceeds maxBodyBytes", status: 413 },
  TARGET_TOO_LONG: { message: "request target exceeds its limit", status: 414 },
  HEADERS_TOO_LARGE: { message: "request header section exceeds maxHeaderBytes or maxHeaderCount", status: 431 },
  EXPECTATION_FAILED: { message: "unknown expectation", status: 417 },
  REQUEST_TIMEOUT: { message: "request did not arrive in time", status: 408 },
  NOT_IMPLEMENTED: { message: "transfer coding not implemented", status: 501 },
  VERSION_NOT_SUPPORTED: { message: "HTTP version not supported", status: 505 },
  BAD_HANDSHAKE: { message: "malformed WebSocket handshake", status: 400 },
  UNSUPPORTED_WEBSOCKET_VERSION: { message: "only WebSocket version 13 is supported", status: 426 },
  FORBIDDEN_ORIGIN: { message: "this page may not connect here: see allowedOrigins", status: 403 },
  FORBIDDEN_HOST: { message: "this server does not answer for this host: see allowedHosts", status: 421 },
  BAD_FRAME: { message: "malformed WebSocket frame", closeCode: 1002 },
  BAD_UTF8: { message: "text is not valid UTF-8", closeCode: 1007 },
  BAD_DEFLATE: { message: "compressed message cannot be inflated", closeCode: 1007 },
  BAD_RECORD: { message: "malformed session record", status: 400, closeCode: 1002 },
  TOO_MANY_SESSIONS: { message: "the server has as many sessions as it may", status: 503 },
  SESSION_UNREACHABLE: { message: "the process that has this session cannot be reached now", status: 503 },
  MESSAGE_TOO_BIG: { message: "message exceeds maxMessageBytes", closeCode: 1009 },
  TOO_MANY_FRAGMENTS: { message: "message has more than maxFragments fragments, and they are tiny", closeCode: 1008 },
  TOO_MANY_CONTROL_FRAMES: { message: "more control frames than maxControlFramesPerSecond", closeCode: 1008 },
  BUFFER_OVERFLOW: { message: "unsent data exceeds maxBufferedBytes", closeCode: 1013 },
  RECEIVE_OVERFLOW: { message: "received data exceeds maxTotalReceivedBytes", status: 503, closeCode: 1013 },
  MESSAGE_TIMEOUT: { message: "message did not arrive in time", closeCode: 1008 },
  WRITE_TIMEOUT: { message: "client takes nothing of what is sent" },
  BAD_DATA: { message: "this value cannot be sent" },
  BAD_MESSAGE: { message: "message is not what its schema allows" },
  BAD_STATUS: { message: "status must be an integer from 200 to 599" },
  BAD_HEADER: { message: "header name or value has a character that HTTP forbids" },
  BAD_CLOSE: { message: "close code or reason is not allowed" },
  BAD_OPTION: { message: "option has a value that is not allowed" },
  BODY_LENGTH_MISMATCH: { message: "body is not as long as its Content-Length" },
  BODY_USED: { message: "request body was read already" },
  CHANNEL_CLOSED: { message: "channel is closed" },
  CONNECT_FAILED: { message: "no carrier of the session could be opened" },
  CONNECTION_CLOSED: { message: "the connection has ended" },
  CLIENT_GONE: { message: "client closed the connection" },
  ALREADY_ANSWERED: { message: "request was answered already" },
  ALREADY_ATTACHED: { message: "this server has channels already: attach once, and share what attach returned" },
  UPGRADE_UNANSWERED: { message: "no route has answered a WebSocket that is ours: see upgrades" },
  UPGRADE_TAKEN: {
    message: "other code has ended the connection of a WebSocket that is ours: keep it from our upgrades",
  },
  NOT_OUR_REQUEST: { message: "request does not come from this server" },
  HANDLER_EXISTS: { message: "the messages have a handler or a loop already: remove the handler first" },
  BACKPLANE_UNAVAILABLE: { message: "the backplane cannot be reached, or did not confirm in time" },
  REQUEST_FAILED: { message: "the request handler of the other end has failed; its reason is reported there" },
  REQUEST_REFUSED: { message: "the application of the other end refuses the request" },
  REQUEST_UNHANDLED: { message: "the other end has no request handler" },
  REQUEST_LOST: { message: "no reply will come; the request may have been handled or not" },
  REQUEST_CANCELLED: { message: "the other end does not wait for the reply any more" },
  REPLY_TIMEOUT: { message: "no reply came within timeoutMs; the request may have been handled or not" },
  TOO_MANY_REQUESTS: { message: "too many requests wait for a reply" },
  REQUESTS_UNSUPPORTED: { message: "only a session carries requests, and both ends must take them" },
};

registerErrorFacts(FACTS);
